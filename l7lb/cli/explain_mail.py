"""What would become of one login or recipient: account, rules, servers.

Works on the rules file, and asks the directory that it names. No running director is asked, so
what the store says of an account is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

from l7lb.accounts import Account, Status, attribute_facts, normal_name
from l7lb.cli.explain_http import Answer, NotAskable, PoolShare, fresh_pool
from l7lb.directory.opened import open_directory
from l7lb.errors import DirectoryAway, DirectoryError
from l7lb.model import ClusterSpec, PoolSpec, ServiceSpec
from l7lb.pool.pool import Pool
from l7lb.pool.report import Explanation
from l7lb.routing.explain import explain
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import PlainFacts


@dataclass(frozen=True, slots=True)
class AskedMail:
    protocol: str
    name: str
    """Account, or recipient with smtp."""
    source: str
    sni: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the directory says of a name."""

    words: str
    account: Account | None = None
    refusal: str = ""


async def answer_mail(cluster: ClusterSpec, asked: AskedMail, service_name: str) -> Answer:
    """What the cluster does with it. Raises NotAskable; ConfigError for a static directory."""
    service = choose_service(cluster, asked.protocol, service_name)
    name = full_name(asked, service)
    _check_source(asked.source)
    known = await look_up(cluster, service, name)
    facts = facts_of(asked, name, known.account)
    told = Answer(
        service,
        service.listen[0],
        known.refusal,
        facts,
        question=f"{'mail for' if asked.protocol == 'smtp' else 'login of'} {name}",
        notes=(f"directory  {known.words}",),
    )
    if known.refusal:
        return told
    trials = tuple(explain(RoutingTable(service.routes), facts))
    route = next((trial.route for trial in trials if trial.matched), None)
    if route is None:
        return replace(told, trials=trials)
    total = sum(share for _, share in route.pools)
    pools = tuple(
        PoolShare(pool, 100.0 * share / total, placement(cluster.pools[pool], facts, known.account))
        for pool, share in route.pools
    )
    return replace(told, trials=trials, route=route, pools=pools)


# --------------------------------------------------------------------------- the question


def choose_service(cluster: ClusterSpec, protocol: str, name: str) -> ServiceSpec:
    """By name, else the first of the protocol in the file. Raises NotAskable."""
    known = [each for each in cluster.services.values() if each.protocol == protocol]
    found = [each for each in known if name in {"", each.name}]
    if not found:
        listed = ", ".join(each.name for each in known) or "none"
        wanted = f"service {name}" if name else "service"
        raise NotAskable(f"there is no {wanted} of {protocol}; there are: {listed}")
    return found[0]


def full_name(asked: AskedMail, service: ServiceSpec) -> str:
    """As it is looked up. Raises NotAskable for what is nobody's name."""
    text = asked.name
    if asked.protocol == "smtp":
        text = text.removeprefix("<").removesuffix(">")
    elif service.login.default_domain and "@" not in text:
        text = f"{text}@{service.login.default_domain}"
    name = normal_name(text)
    if name is None:
        raise NotAskable(f"{asked.name!r} is nobody's name")
    return name


def _check_source(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise NotAskable(f"{text!r} is no IP address") from None


def facts_of(asked: AskedMail, name: str, account: Account | None) -> PlainFacts:
    is_smtp = asked.protocol == "smtp"
    return PlainFacts(
        method=asked.protocol.encode(),
        source=asked.source,
        sni=asked.sni.lower().encode(),
        account=(account.name if account else "" if is_smtp else name).encode(),
        recipient=name.encode() if is_smtp else b"",
        attributes=attribute_facts(account),
    )


# --------------------------------------------------------------------------- the directory


async def look_up(cluster: ClusterSpec, service: ServiceSpec, name: str) -> Known:
    """Raises ConfigError for a static directory that cannot be read."""
    if cluster.directory is None:
        return Known("none: the name is taken as it is")
    try:
        directory = open_directory(cluster.directory).directory
    except DirectoryError as error:
        return Known(f"cannot be asked: {error}")
    is_smtp = service.protocol == "smtp"
    try:
        account = await (directory.recipient(name) if is_smtp else directory.account(name))
    except DirectoryAway as error:
        return Known(f"away ({error}): clients are asked to come again; the name is taken as it is")
    except DirectoryError as error:
        return Known(f"of no use: {error}", refusal=f"for now: {error}")
    finally:
        await directory.close()
    return _judged(account, service)


def _judged(account: Account | None, service: ServiceSpec) -> Known:
    is_smtp = service.protocol == "smtp"
    if account is None:
        if is_smtp and service.smtp.accept_unknown:
            return Known("knows nobody of this name, which the service accepts")
        reply = "550, nobody has this address" if is_smtp else "as a wrong password is"
        return Known("knows nobody of this name", refusal=reply)
    server = f"server {account.server}" if account.server else "no server"
    words = f"account {account.name}, {account.status}, {server}"
    if account.status is Status.DISABLED:
        return Known(words, account, "the account is disabled")
    return Known(words, account)


# --------------------------------------------------------------------------- the server


def placement(spec: PoolSpec, facts: PlainFacts, account: Account | None) -> Explanation:
    """The directory's server, else the one that rendezvous proposes for the account.

    The pool's scheduler has no say: all directors must find the same server.
    """
    pool = fresh_pool(spec, b"")
    told = pool.explain(facts)
    home = account.server if account else None
    if home:
        words, choice = _home(pool, home)
        return replace(told, persistence=words, scheduler="not asked", choice=choice)
    choice = pool.propose(facts.account or facts.recipient) or ""
    return replace(
        told,
        persistence="the store's server for this account, while one is assigned (not seen here)",
        scheduler="weighted rendezvous of the account, for one that is not assigned",
        choice=choice,
    )


def _home(pool: Pool, home: str) -> tuple[str, str]:
    if home not in {server.name for server in pool.servers}:
        return f"the directory gives {home}, which is none of this pool: nobody gets in", ""
    if not pool.keeps(home):
        return f"the directory gives {home}, which is not usable", ""
    return f"the directory gives {home}", home
