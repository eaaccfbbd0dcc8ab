"""What the query of DATABASE_URL may say: libpq's keywords, and session settings in `options`."""

import re
from collections.abc import Iterator, Mapping

from config.env import BadEnvironment

# Where to go, and how to prove who one is.
ALLOWED = (
    "channel_binding|gss(delegation|encmode|lib)|host|hostaddr|krbsrvname|load_balance_hosts"
    "|(max|min)_protocol_version|passfile|password|port|require_auth|requirepeer|scram_client_key"
    "|scram_server_key|service|ssl_(max|min)_protocol_version|ssl(cert|certmode|compression|crl"
    "|crldir|key|keylogfile|mode|negotiation|password|rootcert|sni)|target_session_attrs|user"
)
# What Greenroom says itself, whatever stands in the URL.
OURS = (
    "application_name|client_encoding|connect_timeout|fallback_application_name"
    "|keepalives(_count|_idle|_interval)?|tcp_user_timeout"
)
_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_SETTING = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


def connection_keywords(query: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The keywords that count, `options` aside. Raises BadEnvironment.

    `given` is what the URL says before its query, by keyword.
    """
    for keyword in query:
        if given.get(keyword):
            raise BadEnvironment(
                f"DATABASE_URL names its {keyword} twice: before the ? and behind it."
            )
        if not re.fullmatch(f"{ALLOWED}|{OURS}|options", keyword):
            raise BadEnvironment(
                f"DATABASE_URL has {keyword[:80]!r} behind the ?, which is no keyword of libpq "
                "that Greenroom hands on; see docs/operations.md."
            )
    return {keyword: value for keyword, value in query.items() if re.fullmatch(ALLOWED, keyword)}


def session_settings(options: str) -> dict[str, str]:
    """The settings that libpq's `options` name, as `-c name=value` or `--name=value`. Raises
    BadEnvironment."""
    settings = {}
    for word in _settings(options):
        found = _SETTING.fullmatch(word)
        if not found:
            raise BadEnvironment(
                "DATABASE_URL's options must be like -c search_path=public, with %20 for the space "
                "and %3D for the sign."
            )
        settings[found[1].replace("-", "_").lower()] = found[2]
    return settings


def _settings(options: str) -> Iterator[str]:
    """Each `name=value`; nothing for a word that is no option."""
    words = iter(re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options))
    for word in words:
        if word == "-c":
            yield next(words, "")
        else:
            yield word[2:] if word.startswith(("--", "-c")) else ""
