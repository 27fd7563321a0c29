from __future__ import annotations

import uuid

import pytest
from django.db import connection

from console.access.actors import Actor
from console.accounts.models import User
from console.accounts.secrets import hash_of
from console.accounts.services import issue_api_token
from console.hosts.models import Host
from tests.unit.rest import Rest

CREDENTIAL = "c" * 43


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file, as in production: threads that share an SQLite in memory lock each other out."""
    connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("mira")  # without a password: hashing one takes as long as ten tests


@pytest.fixture
def actor(user: User) -> Actor:
    return Actor(user)


@pytest.fixture
def host(db: None) -> Host:
    return Host.objects.create(name="prod-01", credential_hash=hash_of(CREDENTIAL))


@pytest.fixture
def other_host(db: None) -> Host:
    return Host.objects.create(name="prod-02", credential_hash=hash_of(uuid.uuid4().hex * 2))


@pytest.fixture
def rest(user: User) -> Rest:
    return Rest(issue_api_token(user, "test")[1])
