"""A service that verifies its callers: who is this, and what may they do?

| route | for whom |
| --- | --- |
| `GET /` | anybody; who is known is greeted by name |
| `GET /me` | callers with a good token |
| `GET /users/<id>` | the scope `read:users`, or `read:users?user_id=…` with this id |
| `POST /payments` | who signed in no longer than five minutes ago |
| `GET /admin/…` | the role `admin` |

Start an issuer, such as USSO's reference server on port 8000, and this:

    pip install "$(ls ../../../target/wheels/*.whl)[flask]"
    USSO_BASE_URL=http://localhost:8000 USSO_AUDIENCE=http://localhost:8000 flask run -p 3000

Then ask, with a token of that issuer:

    curl -i localhost:3000/me
    curl -i localhost:3000/me -H "Authorization: Bearer $TOKEN"
"""

from __future__ import annotations

from flask import Blueprint, Flask

from usso.config import AvailableJwtConfigs
from usso.integrations.flask import USSO, current_user

usso = USSO()
admin = Blueprint("admin", __name__, url_prefix="/admin")
usso.protect(admin, roles=["admin"])


def create_app(config: AvailableJwtConfigs | None = None) -> Flask:
    """Makes the app. Without a configuration the environment gives it."""
    app = Flask(__name__)
    usso.init_app(app, config)
    app.add_url_rule("/", view_func=greet)
    app.add_url_rule("/me", view_func=me)
    app.add_url_rule("/users/<id>", view_func=show)
    app.add_url_rule("/payments", view_func=pay, methods=["POST"])
    app.register_blueprint(admin)
    return app


@usso.optional
def greet() -> str:
    return f"Hello, {current_user.sub}." if current_user else "Hello, stranger."


@usso.required
def me() -> dict[str, object]:
    return current_user.model_dump()


@usso.require(scopes=["read:users?user_id={id}"])
def show(id: str) -> dict[str, object]:
    return {"user": id, "caller": current_user.sub}


@usso.require(max_age=300)
def pay() -> str:
    return "Paid."


@admin.get("/numbers")
def numbers() -> dict[str, int]:
    return {"users": 7}
