from __future__ import annotations

import uuid

import pytest

from console.access.actors import Actor
from console.accounts.models import User
from console.accounts.secrets import hash_of
from console.hosts.models import Host

CREDENTIAL = "c" * 43


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("mira", password="correct horse 9 battery")


@pytest.fixture
def actor(user: User) -> Actor:
    return Actor(user)


@pytest.fixture
def host(db: None) -> Host:
    return Host.objects.create(name="prod-01", credential_hash=hash_of(CREDENTIAL))


@pytest.fixture
def other_host(db: None) -> Host:
    return Host.objects.create(name="prod-02", credential_hash=hash_of(uuid.uuid4().hex * 2))
