"""The table of requests and answers, through Starlette's middleware and a real server."""

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from table import ASGI, ISSUER, config, differences, serve_asgi

from usso import _native
from usso.auth import UssoAuth
from usso.integrations.starlette import USSOMiddleware, require_caller

# Starlette redirects to the spelling that it knows, and guards that.
EXCUSED = {
    **ASGI,
    "another spelling of the path opens nothing: /me/": (307,),
    "another spelling of the path opens nothing: /me%2f": (307,),
}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class Colored(BaseModel):
    color: str


async def me(request: Request) -> Response:
    return PlainTextResponse(request.user.identity)


async def maybe(request: Request) -> Response:
    user = request.state.usso_user
    return PlainTextResponse("nobody" if user is None else user.sub)


async def claims(request: Request) -> Response:
    return PlainTextResponse(request.state.usso_user.color)


async def panics(request: Request) -> Response:
    raise RuntimeError("on purpose")


def build(issuer: _native.TestIssuer) -> Starlette:
    auth = UssoAuth(config(issuer))
    colored = UssoAuth(config(issuer), user_schema=Colored)

    def guarded(path: str, handler: object, guard: object = auth, **rule: object) -> Route:
        methods = METHODS if path == "/me" else ["GET"]
        middleware = [Middleware(USSOMiddleware, guard, **rule)]
        return Route(path, handler, methods=methods, middleware=middleware)

    def ruled(*scopes: str, **rule: object) -> object:
        async def handler(request: Request) -> Response:
            return PlainTextResponse(require_caller(request, auth, *scopes, **rule).sub)

        return handler

    inner = [
        guarded("/me", me),
        guarded("/maybe", maybe, optional=True),
        guarded("/claims", claims, colored),
        guarded("/files", me, scopes=["read:files"]),
        guarded("/users/{id}", ruled("read:users?user_id={id}")),
        guarded("/policy/{id}", ruled("read:users?user_id={id}")),
        guarded("/admin", me, roles=["admin"]),
        guarded("/machine", me, service=True),
        guarded("/w/{workspace}/notes", ruled(workspace="{workspace}")),
        guarded("/t/{tenant}/notes", ruled(tenant="{tenant}")),
        guarded("/payments", me, max_age=300),
        guarded("/panic", panics),
    ]
    app = Starlette(routes=[Mount("/", routes=inner)])
    app.router.redirect_slashes = False
    return app


def test_every_request_of_the_table_gets_its_answer() -> None:
    issuer = _native.TestIssuer(ISSUER)
    with serve_asgi(build(issuer)) as port:
        wrong = differences(port, issuer, EXCUSED)
    assert not wrong, "\n".join(wrong)
