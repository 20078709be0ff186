"""The table of requests and answers, through FastAPI and a real server."""

from fastapi import Depends, FastAPI, Security
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from table import ASGI, ISSUER, config, differences, serve_asgi

from usso import _native
from usso.integrations.fastapi import EXCEPTION_HANDLERS, USSOAuthentication
from usso.schemas import UserData


class Colored(BaseModel):
    color: str


def build(issuer: _native.TestIssuer) -> FastAPI:
    auth = USSOAuthentication(config(issuer))
    colored = USSOAuthentication(config(issuer), user_schema=Colored)
    app = FastAPI(exception_handlers=EXCEPTION_HANDLERS, redirect_slashes=False)
    app.router.default_response_class = PlainTextResponse

    def name(user: UserData) -> PlainTextResponse:
        return PlainTextResponse(user.sub)

    def route(path: str, dependency: object, methods: list[str] | None = None) -> None:
        async def handler(user: UserData = dependency) -> PlainTextResponse:  # type: ignore[assignment]
            return name(user)

        app.add_api_route(path, handler, methods=methods or ["GET"])

    route("/me", Depends(auth), ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    route("/files", Security(auth, scopes=["read:files"]))
    route("/users/{id}", Security(auth, scopes=["read:users?user_id={id}"]))
    route("/policy/{id}", Depends(auth.require("read:users?user_id={id}")))
    route("/admin", Depends(auth.require(roles=["admin"])))
    route("/machine", Depends(auth.require(service=True)))
    route("/w/{workspace}/notes", Depends(auth.require(workspace="{workspace}")))
    route("/t/{tenant}/notes", Depends(auth.require(tenant="{tenant}")))
    route("/payments", Depends(auth.require(max_age=300)))

    @app.get("/maybe")
    async def maybe(user: UserData | None = Depends(auth.optional)) -> PlainTextResponse:
        return PlainTextResponse("nobody" if user is None else user.sub)

    @app.get("/claims")
    async def claims(user: Colored = Depends(colored)) -> PlainTextResponse:
        return PlainTextResponse(user.color)

    @app.get("/panic")
    async def panics(user: UserData = Depends(auth)) -> PlainTextResponse:
        raise RuntimeError("on purpose")

    return app


def test_every_request_of_the_table_gets_its_answer() -> None:
    issuer = _native.TestIssuer(ISSUER)
    with serve_asgi(build(issuer)) as port:
        wrong = differences(port, issuer, ASGI)
    assert not wrong, "\n".join(wrong)
