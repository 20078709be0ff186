"""A service that verifies its callers: who is this, and what may they do?

| route | for whom |
| --- | --- |
| `GET /` | anybody; who is known is greeted by name |
| `GET /api/me` | callers with a good token |
| `GET /api/users/{id}` | the scope `read:users`, or `read:users?user_id=…` with this id |

Start an issuer, such as USSO's reference server on port 8000, and this:

    pip install "$(ls ../../../target/wheels/*.whl)[starlette]" uvicorn
    export USSO_BASE_URL=http://localhost:8000 USSO_AUDIENCE=http://localhost:8000
    uvicorn app:app --port 3000

Then ask, with a token of that issuer:

    curl -i localhost:3000/api/me
    curl -i localhost:3000/api/me -H "Authorization: Bearer $TOKEN"
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from usso import UssoAuth
from usso.integrations.starlette import USSOMiddleware, require_caller

# The configuration is in the environment; `UssoAuth(AuthConfig(…))` writes it down.
auth = UssoAuth()


async def greet(request: Request) -> Response:
    caller = request.state.usso_user
    return PlainTextResponse(f"Hello, {caller.sub}." if caller else "Hello, stranger.")


async def me(request: Request) -> Response:
    return JSONResponse(request.state.usso_user.model_dump(mode="json"))


async def show(request: Request) -> Response:
    caller = require_caller(request, auth, "read:users?user_id={id}")
    return JSONResponse({"user": request.path_params["id"], "caller": caller.sub})


# What is mounted here is closed, however its paths are spelt.
api = Mount(
    "/api",
    routes=[Route("/me", me), Route("/users/{id}", show)],
    middleware=[Middleware(USSOMiddleware, auth)],
)
home = Route("/", greet, middleware=[Middleware(USSOMiddleware, auth, optional=True)])
app = Starlette(routes=[home, api])
