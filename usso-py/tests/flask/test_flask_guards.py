"""The guards of views and blueprints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Blueprint, Flask, g
from flask.views import MethodView

from usso.config import AuthConfig
from usso.exceptions import PermissionDenied, USSOException
from usso.integrations.flask import USSO, current_claims, current_user
from usso.testing import Issuer


def test_a_guarded_view_knows_its_caller(app, usso, issuer, serve) -> None:
    @app.get("/me")
    @usso.required
    def me() -> list[str | None]:
        return [g.usso_user.sub, g.usso_claims.sub, current_user.sub, current_claims.sub]

    answer = serve(app).get("/me", headers=issuer.authorization("user:alice"))
    assert answer.json() == ["user:alice"] * 4


def test_a_refusal_is_json_and_says_how_to_authenticate(app, usso, issuer, serve) -> None:
    app.add_url_rule("/me", view_func=usso.required(lambda: "in"))
    client = serve(app)
    missing = client.get("/me")
    expired = client.get("/me", headers={"Authorization": f"Bearer {issuer.expired()}"})
    assert (missing.status_code, missing.json()["error_code"]) == (401, "access.token_missing")
    assert missing.headers["content-type"] == "application/json"
    assert missing.headers["www-authenticate"].startswith("Bearer realm=")
    assert (expired.status_code, expired.json()["error_code"]) == (401, "token.expired")
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]


def test_a_caller_without_the_scope_gets_403_and_its_name(app, usso, issuer, serve) -> None:
    app.add_url_rule("/files", view_func=usso.require(scopes=["read:files"])(lambda: "in"))
    answer = serve(app).get("/files", headers=issuer.authorization(scopes=["read:users"]))
    assert (answer.status_code, answer.json()["error_code"]) == (403, "access.scope")
    assert 'scope="read:files"' in answer.headers["www-authenticate"]


def test_an_optional_guard_lets_strangers_in_and_no_bad_token(app, usso, issuer, serve) -> None:
    @app.get("/")
    @usso.optional
    def greet() -> dict[str, object]:
        assert (g.usso_user is None) == (not current_user)
        return {"sub": current_user.sub if current_user else None}

    client = serve(app)
    stranger, known = client.get("/"), client.get("/", headers=issuer.authorization("user:a"))
    assert (stranger.json(), known.json()) == ({"sub": None}, {"sub": "user:a"})
    bad = client.get("/", headers={"Authorization": f"Bearer {issuer.mint(aud='other')}"})
    assert bad.status_code == 401


def test_an_argument_of_the_view_is_compared_with_the_scope(app, usso, issuer, serve) -> None:
    own = usso.require(scopes=["read:users?user_id={number}"])
    app.add_url_rule("/users/<int:number>", view_func=own(lambda number: str(number)))
    client, headers = serve(app), issuer.authorization(scopes=["read:users?user_id=7"])
    assert client.get("/users/7", headers=headers).text == "7"
    assert client.get("/users/007", headers=headers).text == "7"
    assert client.get("/users/8", headers=headers).status_code == 403


def test_a_rule_about_an_argument_that_the_view_lacks_lets_nobody_in(
    app, usso, issuer, serve
) -> None:
    wrong = usso.require(scopes=["read:users?user_id={id}"])
    app.add_url_rule("/users/<number>", view_func=wrong(lambda number: "in"))
    headers = issuer.authorization(scopes=["manage:*", "read:users"])
    assert serve(app).get("/users/7", headers=headers).status_code == 500


def test_a_misspelt_scope_is_an_error_at_once(usso) -> None:
    with pytest.raises(ValueError, match="raed"):
        usso.require(scopes=["raed:files"])
    with pytest.raises(ValueError, match="raed"):
        usso.protect(Blueprint("files", __name__), scopes=["raed:files"])
    with pytest.raises(TypeError):
        usso.protect(Blueprint("files", __name__), scope="read:files")


def test_a_protected_blueprint_guards_all_its_views_and_those_below(
    app, usso, issuer, serve
) -> None:
    files, below = Blueprint("files", "files"), Blueprint("below", "below")
    usso.protect(files, scopes=["read:files"])
    files.add_url_rule("/one", view_func=lambda: current_user.sub, endpoint="one")
    below.add_url_rule("/two", view_func=lambda: current_user.sub, endpoint="two")
    files.register_blueprint(below)
    app.register_blueprint(files, url_prefix="/files")
    app.add_url_rule("/open", view_func=lambda: "open", endpoint="open")
    client, good = serve(app), issuer.authorization("user:a", scopes=["read:files"])
    for path in ("/files/one", "/files/two"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=issuer.authorization()).status_code == 403
        assert client.get(path, headers=good).text == "user:a"
    assert client.get("/open").text == "open"


def test_a_blueprint_s_rule_takes_arguments_of_the_path(app, usso, issuer, serve) -> None:
    notes = Blueprint("notes", __name__, url_prefix="/w/<workspace>")
    usso.protect(notes, workspace="{workspace}")
    notes.add_url_rule("/notes", view_func=lambda workspace: workspace, endpoint="notes")
    app.register_blueprint(notes)
    client, headers = serve(app), issuer.authorization(workspace_id="ws_1")
    assert client.get("/w/ws_1/notes", headers=headers).text == "ws_1"
    assert client.get("/w/ws_2/notes", headers=headers).status_code == 403


def test_a_protected_app_answers_nothing_to_strangers(app, usso, issuer, serve) -> None:
    usso.protect(app)
    app.add_url_rule("/me", view_func=lambda: current_user.sub)
    client = serve(app)
    assert client.get("/me").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert client.get("/nowhere", headers=issuer.authorization()).status_code == 404
    assert client.get("/me", headers=issuer.authorization("user:a")).text == "user:a"


def test_only_options_that_flask_answers_itself_pass_a_blueprint_s_guard(app, usso, serve) -> None:
    files = Blueprint("files", __name__)
    usso.protect(files)
    files.add_url_rule("/a", view_func=lambda: "in", endpoint="a")
    files.add_url_rule("/b", view_func=lambda: "in", endpoint="b", methods=["OPTIONS"])
    app.register_blueprint(files)
    client = serve(app)
    assert client.options("/a").status_code == 200
    assert client.options("/b").status_code == 401


def test_a_blueprint_s_rule_and_a_view_s_rule_both_hold(app, usso, issuer, serve) -> None:
    files = Blueprint("files", __name__)
    usso.protect(files, scopes=["read:files"])
    files.add_url_rule("/a", view_func=usso.require(roles=["admin"])(lambda: "in"), endpoint="a")
    app.register_blueprint(files)
    client = serve(app)
    rights = [{"scopes": ["read:files"]}, {"roles": ["admin"]}]
    for some in rights:
        assert client.get("/a", headers=issuer.authorization(**some)).status_code == 403
    both = issuer.authorization(scopes=["read:files"], roles=["admin"])
    assert client.get("/a", headers=both).text == "in"


def test_async_views_are_guarded(app, usso, issuer, serve) -> None:
    @app.get("/me")
    @usso.required
    async def me() -> str:
        return current_user.sub or ""

    client = serve(app)
    assert client.get("/me").status_code == 401
    assert client.get("/me", headers=issuer.authorization("user:a")).text == "user:a"


def test_views_of_classes_are_guarded(app, usso, issuer, serve) -> None:
    class Files(MethodView):
        decorators = (usso.require(scopes=["read:files"]),)

        def get(self, name: str) -> str:
            return f"{name} of {current_user.sub}"

    app.add_url_rule("/files/<name>", view_func=Files.as_view("files"))
    client, headers = serve(app), issuer.authorization("user:a", scopes=["read:files"])
    assert client.get("/files/x").status_code == 401
    assert client.get("/files/x", headers=headers).text == "x of user:a"


def test_an_app_may_answer_refusals_itself(app, usso, issuer, serve) -> None:
    @app.errorhandler(PermissionDenied)
    def denied(error: PermissionDenied) -> tuple[str, int]:
        return f"not for you: {error.error_code}", 404

    app.add_url_rule("/files", view_func=usso.require(scopes=["read:files"])(lambda: "in"))
    client = serve(app)
    answer = client.get("/files", headers=issuer.authorization())
    assert (answer.status_code, answer.text) == (404, "not for you: access.scope")
    assert client.get("/files").json()["error_code"] == "access.token_missing"


def test_what_an_unguarded_view_raises_is_answered_in_json(app, usso, serve) -> None:
    @app.get("/")
    def fails() -> str:
        raise USSOException(409, "user.exists", message="There is one.")

    answer = serve(app).get("/")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "user.exists")


def test_current_user_of_an_unguarded_view_is_an_error(app, usso, issuer, serve) -> None:
    @app.get("/")
    def me() -> str:
        with pytest.raises(RuntimeError, match="nothing guards this view"):
            assert current_user.sub
        return "done"

    assert serve(app).get("/", headers=issuer.authorization()).text == "done"


def test_an_app_without_a_guard_lets_nobody_in(config, issuer) -> None:
    app, usso = Flask("unguarded"), USSO(config=config)
    app.testing = True
    app.add_url_rule("/", view_func=usso.required(lambda: "in"))
    with pytest.raises(RuntimeError, match="init_app"):
        app.test_client().get("/", headers=issuer.authorization())


def test_a_caller_is_gone_with_the_request(app, usso, issuer) -> None:
    app.add_url_rule("/me", view_func=usso.required(lambda: "in"), endpoint="me")
    app.add_url_rule("/open", view_func=lambda: str("usso_user" in g), endpoint="open")
    client = app.test_client()
    with app.app_context():  # Requests inside one app context share `g`.
        assert client.get("/me", headers=issuer.authorization()).text == "in"
        assert client.get("/open").text == "False"
        assert client.get("/me").status_code == 401


def test_a_request_inside_a_request_has_its_own_caller(app, usso, issuer, serve) -> None:
    bob = issuer.authorization("user:bob")
    app.add_url_rule("/inner", view_func=usso.required(lambda: current_user.sub), endpoint="inner")

    @app.get("/outer")
    @usso.required
    def outer() -> list[str | None]:
        inner = app.test_client()
        assert inner.get("/inner").status_code == 401
        return [inner.get("/inner", headers=bob).text, current_user.sub]

    answer = serve(app).get("/outer", headers=issuer.authorization("user:alice"))
    assert answer.json() == ["user:bob", "user:alice"]


def test_callers_at_the_same_time_are_not_mixed_up(app, usso, issuer, serve) -> None:
    app.add_url_rule("/me", view_func=usso.required(lambda: current_user.sub))
    client = serve(app)

    def ask(number: int) -> bool:
        caller = f"user:{number}"
        return client.get("/me", headers=issuer.authorization(caller)).text == caller

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))


def test_one_guard_serves_several_apps_with_their_own_settings(issuer: Issuer) -> None:
    usso, other = USSO(), Issuer("https://other.example")
    view = usso.required(lambda: current_user.iss)
    apps = [Flask("one"), Flask("two")]
    for app, config in zip(apps, [issuer.config(), other.config()], strict=True):
        app.config["USSO_JWT_CONFIG"] = config
        usso.init_app(app)
        app.add_url_rule("/", view_func=view, endpoint="me")
    one, two = (app.test_client() for app in apps)
    assert one.get("/", headers=issuer.authorization()).text == "https://sso.example"
    assert two.get("/", headers=other.authorization()).text == "https://other.example"
    assert two.get("/", headers=issuer.authorization()).status_code == 401


def test_without_settings_the_environment_configures(issuer, monkeypatch) -> None:
    monkeypatch.setenv("JWT_CONFIG", issuer.config(realm="files").model_dump_json())
    app = Flask("service")
    app.add_url_rule("/", view_func=USSO(app).required(lambda: "in"))
    client = app.test_client()
    assert client.get("/", headers=issuer.authorization()).text == "in"
    assert 'realm="files"' in client.get("/").headers["WWW-Authenticate"]


def test_two_audiences_of_one_app_are_kept_apart(app: Flask, issuer: Issuer) -> None:
    def guarded(audience: str) -> None:
        config: AuthConfig = issuer.config(audience=audience, realm=audience)
        view = USSO(app, config).required(lambda: audience)
        app.add_url_rule(f"/{audience}", view_func=view, endpoint=audience)

    guarded("a")
    guarded("b")
    client, for_a = app.test_client(), issuer.authorization(audience="a")
    assert client.get("/a", headers=for_a).text == "a"
    refused = client.get("/b", headers=for_a)
    assert refused.json["error_code"] == "token.audience"
    assert 'realm="b"' in refused.headers["WWW-Authenticate"]
