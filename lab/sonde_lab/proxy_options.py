"""What a proxy is asked to do, in the words of its command line: checked here, handed on to its process as they are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.presets import preset
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.proxy import Proxy, upstream_tls
from sonde_lab.proxy_connection import ProxyObserver
from sonde_lab.proxy_control import ProxyControl, new_token, token_of
from sonde_lab.proxy_head import Address, Upstream, is_loopback, parse_listen, parse_upstream
from sonde_lab.wording import one_line
from sonde_protocol.errors import excerpt


class ProxyFailed(Exception):
    """No proxy came about, or it has ended. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """`cert` and `key` are files in PEM, for clients that come by TLS.

    `faults` are rules as text, `presets` networks by name; `control` is where the lab's control interface listens, and
    `control_token` a file with its token. `orders`: rules are armed by the parent, over standard input. Without any of
    these there is no lab.
    """

    listen: str
    upstream: str
    cert: str = ""
    key: str = ""
    insecure: bool = False
    rewrite_host: bool = False
    faults: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    seed: int = 0
    control: str = ""
    control_token: str = ""
    control_anywhere: bool = False
    orders: bool = False

    @property
    def has_lab(self) -> bool:
        """Whether anything may go wrong on purpose."""
        return bool(self.faults or self.presets or self.control or self.orders)

    def arguments(self) -> list[str]:
        """The same as a command line."""
        files = [f"--{name}={value}" for name, value in (("cert", self.cert), ("key", self.key)) if value]
        flags = ["--insecure"] * self.insecure + ["--rewrite-host"] * self.rewrite_host
        flags += [f"--fault={text}" for text in self.faults] + [f"--preset={name}" for name in self.presets]
        flags += [f"--seed={self.seed}"] if self.seed else []
        flags += ["--control-anywhere"] * self.control_anywhere + ["--orders"] * self.orders
        files += [f"--control={self.control}"] if self.control else []
        files += [f"--control-token={self.control_token}"] if self.control_token else []
        return [f"--listen={self.listen}", f"--upstream={self.upstream}", *files, *flags]

    def proxy(self, observer: ProxyObserver | None = None) -> Proxy:
        """A proxy that has not been started.

        Raises:
            ProxyFailed: something is wrong with an address, or a file cannot be read.
        """
        try:
            listen, upstream = parse_listen(self.listen), parse_upstream(self.upstream)
        except ValueError as error:
            raise ProxyFailed(str(error)) from None
        if _is_same(listen, upstream):
            raise ProxyFailed(f"the proxy would dial itself: {upstream} is where it listens")
        if self.insecure and not upstream.secure:
            raise ProxyFailed("--insecure is about a wss:// upstream; this one is ws://")
        tls = upstream_tls(self.insecure) if upstream.secure else None
        cert = self._certificate()
        self._control_address()
        lab = FaultLab(self.seed, has_tls=cert is not None) if self.has_lab else None
        proxy = Proxy(
            listen, upstream, observer, tls=tls, cert=cert, rewrites_host=self.rewrite_host, lab=lab
        )
        if lab is not None:
            self._arm(lab)
        return proxy

    def control_of(self, proxy: Proxy) -> ProxyControl | None:
        """The control interface that was asked for, not started.

        Raises:
            ProxyFailed: its token cannot be read.
        """
        address = self._control_address()
        if address is None or proxy.lab is None:
            return None
        try:
            token = token_of(self.control_token) if self.control_token else new_token()
        except ValueError as error:
            raise ProxyFailed(str(error)) from None
        return ProxyControl(proxy.lab, address, token)

    def _control_address(self) -> Address | None:
        if not self.control:
            if self.control_token or self.control_anywhere:
                raise ProxyFailed("--control-token and --control-anywhere belong to --control HOST:PORT")
            return None
        try:
            address = parse_listen(self.control)
        except ValueError as error:
            raise ProxyFailed(f"--control: {error}") from None
        if not address.is_loopback and not self.control_anywhere:
            raise ProxyFailed(
                f"--control: {address} can be reached from other machines, and whoever has the token can break every "
                "connection; say --control-anywhere too if that is meant, or listen at 127.0.0.1"
            )
        return address

    def _arm(self, lab: FaultLab) -> None:
        for text in self.faults:
            try:
                lab.arm(parse_rule(text))
            except RuleRefused as refused:
                raise ProxyFailed(pointed(text, refused)) from None
        for name in self.presets:
            try:
                lab.arm_all(preset(name).rules())
            except RuleRefused as refused:
                raise ProxyFailed(f"--preset: {refused.message}") from None

    def _certificate(self) -> ssl.SSLContext | None:
        if not self.cert and not self.key:
            return None
        if not self.cert:
            raise ProxyFailed("--key needs --cert, the certificate that it belongs to")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", "") or str(error)
            raise ProxyFailed(
                f"--cert and --key: cannot be used ({excerpt(why, 120)}); both are PEM files"
            ) from None
        return context


def pointed(text: str, refused: RuleRefused) -> str:
    """A refusal with the rule below it, and a caret under the place."""
    if refused.position is None:
        return f"--fault: {refused.message}\n  {one_line(text, 200)}"
    begin = max(0, refused.position - 60)
    near = one_line(text[begin : begin + 120], 200) or " "
    return f"--fault: {refused.message}\n  {near}\n  {' ' * (refused.position - begin)}^"


async def controlled(control: ProxyControl | None) -> None:
    """Start a control interface, where there is one.

    Raises:
        ProxyFailed: its address is taken, or is none of this machine's.
    """
    try:
        if control is not None:
            await control.start()
    except (OSError, UnicodeError) as error:
        why = excerpt(getattr(error, "strerror", "") or str(error), 160)
        raise ProxyFailed(f"--control: cannot listen there: {why}") from None


async def started(proxy: Proxy) -> None:
    """Start a proxy.

    Raises:
        ProxyFailed: the address is taken, or is none of this machine's.
    """
    try:
        await proxy.start()
    except (OSError, UnicodeError) as error:
        why = excerpt(getattr(error, "strerror", "") or str(error), 160)
        raise ProxyFailed(f"cannot listen at {proxy.listen}: {why}") from None


def _is_same(listen: Address, upstream: Upstream) -> bool:
    if listen.port != upstream.port:
        return False
    is_here = is_loopback(upstream.host) and (is_loopback(listen.host) or listen.host in ("0.0.0.0", "::"))  # noqa: S104
    return is_here or listen.host == upstream.host
