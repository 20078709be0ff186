"""A service that verifies its callers: who is this, and what may they do?

| route | for whom |
| --- | --- |
| `GET /` | anybody; who is known is greeted by name |
| `GET /me` | callers with a good token |
| `GET /users/{id}` | the scope `read:users`, or `read:users?user_id=…` with this id |
| `POST /payments` | who signed in no longer than five minutes ago |
| `GET /admin/…` | the role `admin` |
| `/events`, a WebSocket | callers with a good token |

Start an issuer, such as USSO's reference server on port 8000, and this:

    pip install "$(ls ../../../target/wheels/*.whl)[fastapi]" "uvicorn[standard]"
    export USSO_BASE_URL=http://localhost:8000 USSO_AUDIENCE=http://localhost:8000
    uvicorn app:app --port 3000

Then ask, with a token of that issuer:

    curl -i localhost:3000/me
    curl -i localhost:3000/me -H "Authorization: Bearer $TOKEN"
"""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket

from usso.integrations.fastapi import EXCEPTION_HANDLERS, get_authenticator
from usso.schemas import UserData

# The configuration is in the environment; `get_authenticator(JWTConfig(…))` writes it down.
authenticator = get_authenticator()

Caller = Annotated[UserData, Depends(authenticator)]
MaybeCaller = Annotated[UserData | None, Depends(authenticator.optional)]
Reader = Annotated[UserData, Security(authenticator, scopes=["read:users?user_id={id}"])]

app = FastAPI(exception_handlers=EXCEPTION_HANDLERS)
admin = APIRouter(prefix="/admin", dependencies=[Depends(authenticator.require(roles=["admin"]))])


@app.get("/")
async def greet(caller: MaybeCaller) -> str:
    return f"Hello, {caller.sub}." if caller else "Hello, stranger."


@app.get("/me")
async def me(caller: Caller) -> UserData:
    return caller


@app.get("/users/{id}")
async def show(id: str, caller: Reader) -> dict[str, str | None]:
    return {"user": id, "caller": caller.sub}


@app.post("/payments", dependencies=[Depends(authenticator.require(max_age=300))])
async def pay() -> str:
    return "Paid."


@admin.get("/settings")
async def settings() -> dict[str, bool]:
    return {"secret": True}


@app.websocket("/events")
async def events(websocket: WebSocket, caller: Caller) -> None:
    await websocket.accept()
    await websocket.send_text(f"Hello, {caller.sub}.")
    await websocket.close()


app.include_router(admin)
