"""For all tests: a quiet TensorFlow on the CPU, and no network."""

import ipaddress
import os
import socket

import pytest

# Before any test imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def _is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in (None, "", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection but those to this machine, as a machine without network does."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def refuse_connect(self, address):
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise ConnectionRefusedError(f"Tests have no network: {address[0]} was refused.")
        return connect(self, address)

    def refuse_lookup(host, *args, **kwargs):
        if not _is_here(host.decode() if isinstance(host, bytes) else host):
            raise socket.gaierror(f"Tests have no network: {host} was not looked up.")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", refuse_connect)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)
