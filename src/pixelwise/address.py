"""Where data are: a path, or a URL that came as one. Knows texts; opens nothing.

Commands take folders as `Path`, which joins slashes: `https://host/set` becomes `https:/host/set`. That is no
path that anybody has, so it can be told, and made a URL again.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pixelwise.errors import ConfigError

_URL = re.compile(r"(https?|s3|gs)://?(?=[^/])", re.IGNORECASE)


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(place: str) -> str:
    """`s3` of `s3://bucket/folder`, whatever may be read there; empty for a path, of Windows too."""
    found = _SCHEME.match(place)
    return found.group(1).lower() if found else ""


def url_of(place: Path | str) -> str | None:
    """The URL that a path or text is, without a slash at its end; None for an ordinary path.

    Raises:
        ConfigError: It holds a user's name or password, which would be shown in messages.
    """
    text = place.as_posix() if isinstance(place, Path) else place
    found = _URL.match(text)
    if found is None:
        return None
    url = f"{found.group(1).lower()}://{text[found.end() :]}"
    _check_no_secret(url)
    return url.rstrip("/")


def _check_no_secret(url: str) -> None:
    if "@" in urlsplit(url).netloc:
        raise ConfigError(
            "a URL of data holds no user and password: leave out what stands before the @, and use a URL "
            "that is signed, or the settings of your object store"
        )


def member_url(folder: str, name: str) -> str:
    """The URL of a file below another; what stands behind a `?` stays at the end."""
    parts = urlsplit(folder)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def quoted(url: str) -> str:
    """A URL as a web server takes it: blanks and letters beyond ASCII in its path are escaped, once."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=quote(parts.path, safe="/%:@!$&'()*+,;=~")))


def plain_url(url: str) -> str:
    """A URL for messages: without what stands behind a `?`, which may be a signature."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def absolute(place: Path | str) -> Path:
    """A path that no change of folder alters; of a URL the path that `url_of` knows."""
    url = url_of(place)
    return Path(place).expanduser().resolve() if url is None else Path(url)


def fixed(place: str) -> str:
    """A path that no change of folder alters, its links as they are; a URL of any scheme as it is.

    Raises:
        ConfigError: As `url_of`.
    """
    if not scheme_of(place):
        return str(Path(place).absolute())
    _check_no_secret(place)
    return place


def named(place: Path | str) -> str:
    """A place as it was given, for what others will read: a URL as one, without its signature."""
    url = url_of(place)
    return str(place) if url is None else plain_url(url)


def shown(place: Path | str) -> str:
    """As `absolute`, for what others will read: a URL without its signature."""
    url = url_of(place)
    return str(absolute(place)) if url is None else plain_url(url)


__all__ = ["absolute", "fixed", "member_url", "named", "plain_url", "quoted", "scheme_of", "shown", "url_of"]
