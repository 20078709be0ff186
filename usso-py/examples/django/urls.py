"""Two routes: a view of Django, and one of REST framework."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from usso.integrations.django import HasScope, require_auth


@require_auth
def me(request: HttpRequest) -> JsonResponse:
    """Says who is calling."""
    caller: Any = request
    return JsonResponse({"sub": caller.usso_user.sub, "user": caller.user.pk})


class Files(APIView):
    """Lists files to callers with `read:files`."""

    permission_classes = (HasScope("read:files"),)

    def get(self, request: Request) -> Response:
        """Gives the names of the caller's files."""
        return Response({"owner": request.auth.sub, "files": ["notes.txt"]})


urlpatterns = [path("me", me), path("files", Files.as_view())]
