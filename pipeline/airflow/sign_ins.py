"""Give the people of a file their sign-ins: each one a name, a role and a password, for Airflow and for MLflow.

    python -m pipeline.airflow.sign_ins airflow --users /run/secrets/users
    python -m pipeline.airflow.sign_ins mlflow --users /run/secrets/users --service /run/secrets/mlflow_service_password

The file is TOML, a table per person: `[ana]`, `role = "viewer"`, `password = "…"`. Roles and passwords follow the file
each time it runs; who has gone from it can sign in no more. In MLflow everybody reads and admins do everything;
training and promotion write as the account `tidemark`, so nobody else moves the alias `champion`.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from pipeline.runtime import program
from pipeline.runtime.errors import OrchestrationError, SettingsError, UsageError
from pipeline.runtime.plain import found
from pipeline.runtime.settings import load_settings
from pipeline.runtime.toml_file import parsed

Role = Literal["viewer", "engineer", "admin"]
# Viewers read; engineers also trigger, clear and pause DAGs, and edit pools, variables and connections.
AIRFLOW_ROLES: dict[Role, str] = {"viewer": "Viewer", "engineer": "Op", "admin": "Admin"}
SERVICE = "tidemark"  # MLflow's account of training and promotion
MLFLOW_ADMIN = "admin"  # MLflow's first account (docker/mlflow_auth.ini)
SHORTEST = 12  # characters of a password; MLflow asks for as many
TIMEOUT = 30  # seconds
EXPERIMENT, MODELS = "interest-model", ("tidemark", "tidemark-encoder")  # as training names them
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"
WRITTEN = ("experiment", "registered_model")  # what the service account may write


@dataclass(frozen=True)
class Person:
    """Who signs in, as what. The password shows in no message."""

    name: str
    role: Role
    password: str


def read_people(file: Path) -> list[Person]:
    """The people of the file. Raises SettingsError, without a password, for an entry that is wrong."""
    people = []
    for name, entry in parsed(file, SettingsError).items():
        if name in (SERVICE, MLFLOW_ADMIN):
            raise SettingsError(
                f"{file}: expected the name of a person, found {found(name)}, an account of MLflow's own"
            )
        if not isinstance(entry, dict) or set(entry) != {"role", "password"}:
            raise SettingsError(f"{file}: {found(name)}: expected a table with role and password alone")
        role, password = entry["role"], entry["password"]
        if not isinstance(role, str) or role not in AIRFLOW_ROLES:
            raise SettingsError(f"{file}: {name}.role: expected one of {', '.join(AIRFLOW_ROLES)}, found {found(role)}")
        people.append(Person(name, role, _long_enough(password, f"{file}: {name}.password")))
    return people


def sign_in_to_airflow(people: list[Person]) -> None:
    """Creates and updates the accounts of Airflow's FAB auth manager; others are closed."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for person in people:
            role = manager.find_role(AIRFLOW_ROLES[person.role])
            user = manager.find_user(person.name)
            if user is None:
                mail = f"{person.name}@localhost"
                manager.add_user(person.name, person.name, "", mail, role, person.password)
                continue
            user.roles, user.active = [role], True
            # Ends the sessions that are open, so an unchanged password stays as it is.
            if not _has_password(user, person.password) and not manager.reset_password(user.id, person.password):
                raise SettingsError(f"Airflow: {person.name}: the password could not be changed")
            manager.update_user(user)
        names = {person.name.lower() for person in people}
        for user in manager.get_all_users():
            if user.username.lower() not in names and user.active:
                user.active = False
                manager.reset_user_sessions(user)
                manager.update_user(user)


def sign_in_to_mlflow(people: list[Person], service_password: str, address: str) -> None:
    """The same in MLflow, asked as its admin (MLFLOW_TRACKING_USERNAME and _PASSWORD).

    The service account comes first and makes what the pipeline writes to: whoever makes a model may move its aliases.
    """
    mlflow = _Mlflow(address, os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
    known = {user["username"] for user in mlflow.get("2.0/mlflow/users/list")["users"]}
    everyone = [Person(SERVICE, "viewer", service_password), *people]
    for person in everyone:
        account = {"username": person.name, "password": person.password}
        if person.name in known:
            mlflow.send("PATCH", "2.0/mlflow/users/update-password", account)
        else:
            mlflow.send("POST", "2.0/mlflow/users/create", account)
        admin = {"username": person.name, "is_admin": person.role == "admin"}
        mlflow.send("PATCH", "2.0/mlflow/users/update-admin", admin)
        if person.name == SERVICE:
            _let_service_write(mlflow)
            _make_what_is_written(_Mlflow(address, SERVICE, service_password))
    for name in known - {person.name for person in everyone} - {MLFLOW_ADMIN}:
        mlflow.send("DELETE", "2.0/mlflow/users/delete", {"username": name})


class _Mlflow:
    """MLflow's REST API, as much of it as accounts need. Raises OrchestrationError without what was sent."""

    def __init__(self, address: str, name: str, password: str) -> None:
        self._http = httpx.Client(base_url=f"{address}/api/", auth=(name, password), timeout=TIMEOUT, trust_env=False)

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def make(self, path: str, body: dict[str, Any]) -> None:
        """Makes what is not there yet."""
        self.send("POST", path, body, content_with=ALREADY_THERE)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None, content_with: str = "") -> Any:
        """`content_with`: the code of an error that is none here."""
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise OrchestrationError(f"MLflow: {method} {path}: {error}") from None
        if not answer.is_success and not (content_with and content_with in answer.text):
            raise OrchestrationError(f"MLflow: {method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.content else {}


def _let_service_write(mlflow: _Mlflow) -> None:
    """The role of the service account: EDIT on every experiment and model.

    What is there stays: a training that writes meanwhile must not be turned away.
    """
    mlflow.make("3.0/mlflow/roles/create", {"name": SERVICE, "workspace": "default"})
    (role,) = (it["id"] for it in mlflow.get("3.0/mlflow/roles/list")["roles"] if it["name"] == SERVICE)
    for kind in WRITTEN:
        grant = {"role_id": role, "resource_type": kind, "resource_pattern": "*", "permission": "EDIT"}
        mlflow.make("3.0/mlflow/roles/permissions/add", grant)
    mlflow.make("3.0/mlflow/roles/assign", {"role_id": role, "username": SERVICE})


def _make_what_is_written(mlflow: _Mlflow) -> None:
    """The pipeline's experiment and models, unless they are there."""
    mlflow.make("2.0/mlflow/experiments/create", {"name": EXPERIMENT})
    for name in MODELS:
        mlflow.make("2.0/mlflow/registered-models/create", {"name": name})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=["airflow", "mlflow"])
    parser.add_argument("--users", type=Path, required=True, help="TOML file of people, roles and passwords")
    parser.add_argument("--service", type=Path, help="file with the password of MLflow's service account")
    given = parser.parse_args()
    people = read_people(given.users)
    if given.server == "airflow":
        sign_in_to_airflow(people)
    elif given.service is None:
        raise UsageError("sign_ins mlflow: expected --service FILE, found none")
    else:
        password = _long_enough(given.service.read_text(encoding="utf-8").strip(), str(given.service))
        sign_in_to_mlflow(people, password, load_settings().mlflow_uri)
    print(f"{given.server}: {len(people)} people can sign in")


def _has_password(user: Any, password: str) -> bool:
    from werkzeug.security import check_password_hash

    return bool(user.password) and check_password_hash(user.password, password)


def _long_enough(password: Any, where: str) -> str:
    if not isinstance(password, str) or len(password) < SHORTEST:
        size = f"{len(password)} characters" if isinstance(password, str) else "no text"
        raise SettingsError(f"{where}: expected a password of at least {SHORTEST} characters, found {size}")
    return password


if __name__ == "__main__":
    program.run(main)
