"""The certificates that are trusted, the same for REST, for the streams and for a proxy."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi

from spreadlake.errors import ConfigError

_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


@dataclass(frozen=True)
class Trust:
    """A TLS context, and in words whose certificates it trusts."""

    context: ssl.SSLContext
    words: str


def read_trust(environment: Mapping[str, str] = os.environ) -> Trust:
    """Trusts what this machine trusts, what certifi lists, and what the variables name.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` add to the others: a company's own authority signs some
    connections, seldom all. ConfigError where one of them cannot be used.
    """
    context = ssl.create_default_context()
    system = ssl.get_default_verify_paths()
    for store in (system.openssl_cafile, certifi.where()):
        if Path(store).is_file():
            context.load_verify_locations(cafile=store)
    if Path(system.openssl_capath).is_dir():
        context.load_verify_locations(capath=system.openssl_capath)
    named = [f"{name} = {environment[name]}" for name in (_FILE, _FOLDER) if environment.get(name)]
    if file := environment.get(_FILE):
        _add_file(context, file)
    if folders := environment.get(_FOLDER):
        _add_folders(context, folders)
    others = f"and {', '.join(named)}" if named else f"({_FILE} is not set)"
    return Trust(context, f"the system's store, certifi's {others}")


def _add_file(context: ssl.SSLContext, file: str) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        reason = "there is no certificate in it"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    else:
        return
    raise ConfigError(
        f"{_FILE} = {file} cannot be used ({reason}); name a file of certificates in PEM form, "
        "or unset it"
    )


def _add_folders(context: ssl.SSLContext, folders: str) -> None:
    for folder in folders.split(os.pathsep):
        if not Path(folder).is_dir():
            raise ConfigError(
                f"{_FOLDER} = {folder} is not a folder; name one that holds certificates as "
                "openssl rehash leaves them, or unset it"
            )
        context.load_verify_locations(capath=folder)
