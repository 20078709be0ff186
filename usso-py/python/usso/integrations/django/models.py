"""Which user of this project a caller is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models


class Link(models.Model):
    """Links a subject of an issuer to a user.

    The key is a digest of both (`users.link_key`), because databases may compare text without
    regard to case or trailing spaces, and subjects that differ in that alone are two people.
    """

    key: models.CharField[str, str] = models.CharField(
        max_length=64, primary_key=True, editable=False
    )
    issuer: models.TextField[str, str] = models.TextField(editable=False)
    subject: models.TextField[str, str] = models.TextField(editable=False)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(auto_now_add=True)
    user: models.ForeignKey[Any, Any] = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="usso_links"
    )

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"
