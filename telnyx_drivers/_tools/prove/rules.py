"""The assumed rules of the server, and what the evidence says about each.

The rules are those of the specification's page on the production server, each in a sentence of its own. One that this
command cannot ask about, because that would take the server's side of the wire or a frame no client may send to a
server in use, is listed as well, with the reason.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias, get_args

from attrs import frozen

from telnyx_core._signalling.messages import CAUSE_CODES
from telnyx_core._wire.codec import integer, mapping, string, strings
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.options import Region
from telnyx_drivers._tools.prove.evidence import Evidence, Frame, Session, Step
from telnyx_drivers._tools.prove.steps import GONE, HEADER

Verdict: TypeAlias = Literal["agrees", "differs", "unknown"]

LONG_AWAY: Final = 95.0
"""Seconds without a socket from which on a call that is still there has outlived the ninety once believed."""
_AT_ONCE: Final = 0.08
"""Seconds after the answer in which a hold comes too early."""
_MANY_SECONDS: Final = 60.0
"""In a socket's life, after which a server that pings every thirty must have done so."""
_REGIONS: Final[tuple[str, ...]] = get_args(Region)
_CAUSES: Final = {name: code for name, code in CAUSE_CODES.items() if code >= 500}
_RTPMAP: Final = re.compile(r"(?m)^a=rtpmap:\d+ ([^/\r\n]+)")
_MID: Final = re.compile(r"(?m)^a=mid:([^\r\n]*)")
_PROFILE: Final = re.compile(r"(?m)^m=audio \d+ (\S+)")


@frozen
class Finding:
    """What became of one rule; ``seen`` says by what."""

    rule: str
    claim: str
    verdict: Verdict
    seen: str

    def document(self) -> JsonObject:
        return {"rule": self.rule, "claim": self.claim, "verdict": self.verdict, "seen": self.seen}


_Answer: TypeAlias = tuple[Verdict, str]


class Case:
    """All evidence, with questions to it."""

    def __init__(self, evidence: tuple[Evidence, ...]) -> None:
        self._steps: dict[Step, Evidence] = {each.step: each for each in evidence}

    def step(self, step: Step) -> Evidence | None:
        return self._steps.get(step)

    def sessions(self, *steps: Step) -> Iterator[Session]:
        """Of these steps, or of all."""
        for step, evidence in self._steps.items():
            if not steps or step in steps:
                yield from evidence.sessions

    def came(self, *methods: str) -> Iterator[Frame]:
        return (frame for session in self.sessions() for frame in session.came(*methods))


def judge(evidence: tuple[Evidence, ...]) -> tuple[Finding, ...]:
    """Every rule, in the order of the specification."""
    case = Case(evidence)
    return tuple(Finding(rule, claim, *ask(case)) for rule, claim, ask in _RULES)


def _never(reason: str) -> Callable[[Case], _Answer]:
    return lambda _: ("unknown", f"not asked: {reason}")


_NOT_ASKED: Final[_Answer] = ("unknown", "the step that asks it was left out, or did not come so far")


# Sessions and recovery.


def _outage(session: Session) -> tuple[float, Frame, Frame] | None:
    """After the first loss of a socket: its length, and the login that followed with its reply."""
    for end in session.ends:
        for login in session.sent("login"):
            if login.at > end.at and (reply := session.reply(login)) is not None:
                return login.at - end.at, login, reply
    return None


def _attaches(session: Session) -> list[Frame]:
    dialled = {frame.call for frame in session.sent("invite")}
    return [frame for frame in session.came("attach") if frame.call in dialled]


def _detached_call_lives(case: Case) -> _Answer:
    for session in case.sessions("away"):
        outage = _outage(session)
        if outage is None or outage[0] < LONG_AWAY:
            return "unknown", "this client did not log in again late enough"
        if _attaches(session):
            return "agrees", f"a call was attached after {outage[0]:.0f} s without a socket"
        return "differs", f"no attach came after {outage[0]:.0f} s without a socket"
    return _NOT_ASKED


def _old_session_id(case: Case) -> _Answer:
    outages = [found for session in case.sessions("away", "drop") if (found := _outage(session)) is not None]
    if not outages:
        return _NOT_ASKED
    seconds, login, reply = max(outages, key=lambda outage: outage[0])
    given = string(login.params, "sessid")
    if given is None:
        return "unknown", "this client sent no session id"
    if "error" in reply.body:
        return "differs", f"refused after {seconds:.0f} s"
    same = string(reply.result, "sessid") == given
    return "agrees" if same else "differs", f"accepted after {seconds:.0f} s, {'and kept' if same else 'but replaced'}"


def _order_of_attach(case: Case) -> _Answer:
    for session in case.sessions("drop", "away"):
        outage = _outage(session)
        if outage is None or not (attaches := _attaches(session)):
            continue
        ready = next((frame for frame in session.came("clientReady") if frame.at >= outage[1].at), None)
        if ready is None:
            return "unknown", "no clientReady came after the attach"
        listed = strings(ready.params, "reattached_sessions") or ()
        first = session.frames.index(attaches[0]) < session.frames.index(ready)
        ids = attaches[0].call in listed
        order = "attach first" if first else "clientReady first"
        content = "call ids" if ids else "no call id" if listed else "nothing"
        return "agrees" if first and ids else "differs", f"{order}; reattached_sessions lists {content}"
    return _NOT_ASKED


def _early_hold(case: Case) -> _Answer:
    for session in case.sessions("talk"):
        for hold in session.sent("modify"):
            if hold.params.get("action") != "hold":
                continue
            answer = next((frame for frame in session.came("answer") if frame.call == hold.call), None)
            reply = session.reply(hold)
            if answer is None or reply is None:
                return "unknown", "no answer, or no reply to the hold"
            after = hold.at - answer.at
            if after > _AT_ONCE:
                return "unknown", f"this client asked {1000 * after:.0f} ms after the answer only"
            state = string(reply.result, "holdState") or "an error"
            text = f"asked {1000 * after:.0f} ms after the answer, the reply says {state}"
            return "agrees" if state == "active" else "differs", text
    return _NOT_ASKED


def _reattach_offer(case: Case) -> _Answer:
    for session in case.sessions("drop", "away"):
        for attach in _attaches(session):
            codecs = _codecs(attach.sdp)
            profile = (_PROFILE.findall(attach.sdp) or ["none"])[0]
            actpass = "a=setup:actpass" in attach.sdp
            text = f"codecs {', '.join(codecs)}; profile {profile}; {'actpass' if actpass else 'not actpass'}"
            alone = len([name for name in codecs if name not in ("telephone-event", "CN")]) == 1
            fits = alone and actpass and profile in ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")
            return "agrees" if fits else "differs", text
    return _NOT_ASKED


def _mid(case: Case) -> _Answer:
    seen: list[str] = []
    wrong = False
    for session in case.sessions():
        own = {mid for frame in session.sent("invite") for mid in _MID.findall(frame.sdp)}
        for method in ("invite", "answer", "media", "attach"):
            for frame in session.came(method):
                if frame.sdp:
                    mids = _MID.findall(frame.sdp)
                    seen.append(f"{method}: {', '.join(mids) or 'none'}")
                    wrong = wrong or (bool(mids) if method == "invite" else bool(set(mids) - own))
    if not seen:
        return _NOT_ASKED
    return "differs" if wrong else "agrees", "; ".join(sorted(set(seen)))


def _end_of_login(case: Case) -> _Answer:
    for session in case.sessions():
        for login in session.sent("login"):
            reply = session.reply(login)
            if reply is None or not reply.result:
                continue
            if "auth-expires" in reply.result:
                return "agrees", "the login result carries auth-expires"
            if string(login.params, "login_token") is None:
                return "unknown", "this login was a password, which has no end"
            return "differs", "a token was accepted, and the result carries no auth-expires"
    return _NOT_ASKED


def _server_pings(case: Case) -> _Answer:
    pings = list(case.came("ping"))
    if pings:
        serno = any("serno" in frame.params for frame in pings)
        return "agrees" if serno else "differs", f"{len(pings)} came, {'with' if serno else 'without'} a serno"
    longest = max((session.frames[-1].at for session in case.sessions() if session.frames), default=0.0)
    return "unknown", f"none came within {longest:.0f} s; a ping follows silence, and this client speaks too often"


# Calls.


def _digits_by_info(case: Case) -> _Answer:
    evidence = case.step("talk")
    if evidence is None or "digits_reply" not in evidence.seen:
        return _NOT_ASKED
    reply = evidence.seen["digits_reply"]
    if not isinstance(reply, dict):
        return "differs", "no reply to 1w2"
    said = string(reply, "message") or f"error {integer(reply, 'code')}"
    return "agrees" if said == "SENT" else "differs", f"the reply to 1w2 is {said}"


def _digits_of_the_far_end(case: Case) -> _Answer:
    evidence = case.step("back")
    if evidence is None or "digits_that_came" not in evidence.seen:
        return _NOT_ASKED
    came = mapping(evidence.seen, "digits_that_came")
    offers = [frame.sdp for session in evidence.sessions for frame in session.came("invite") if frame.sdp]
    offered = any("telephone-event" in _codecs(sdp) for sdp in offers)
    text = f"the caller heard {came.get('caller') or 'none'}, the callee {came.get('callee') or 'none'}; "
    text += f"the inbound invite has {'a' if offered else 'no'} telephone-event"
    return "differs" if any(came.values()) or offered else "agrees", text


def _ringing(case: Case) -> _Answer:
    order: list[str] = []
    for session in case.sessions("talk"):
        order += [frame.method for frame in session.came("ringing", "media", "answer")]
    if "answer" not in order:
        return _NOT_ASKED
    early = "media" in order[: order.index("answer")]
    text = f"{', then '.join(order)}; {'early media' if early else 'no early media'}"
    return "agrees" if "ringing" in order else "differs", text


def _variables(case: Case) -> _Answer:
    carriers = list(case.came("invite", "answer", "media", "attach"))
    if not carriers:
        return _NOT_ASKED
    found: dict[str, str] = {}
    for frame in carriers:
        for name, value in mapping(frame.params, "variables").items():
            found.setdefault(name, str(value))
    if not found:
        return "differs", f"none on {len(carriers)} messages"
    shown = [f"{name}={value}" for name, value in found.items() if name in ("FreeSWITCH-Hostname", "Core-UUID")]
    services = sorted(name for name in found if "_svar_" in name)
    return "agrees", "; ".join([f"{len(found)} variables", *shown, *services])


def _headers(case: Case) -> _Answer:
    for session in case.sessions("back"):
        for invite in session.came("invite"):
            top = [name for name in invite.params if name.lower().endswith(f"_h_{HEADER.lower()}")]
            inner = mapping(invite.params, "dialogParams").get("custom_headers")
            listed = isinstance(inner, list) and any(
                isinstance(entry, dict) and str(entry.get("name")).lower() == HEADER.lower() for entry in inner
            )
            if top or listed:
                return "agrees", f"{HEADER} came as {top[0] if top else 'an entry of custom_headers'}"
            return "unknown", f"{HEADER} was sent and did not come: somebody between the legs leaves headers out"
    return _NOT_ASKED


def _high_causes(case: Case) -> _Answer:
    for frame in case.came("bye"):
        name, code = string(frame.params, "cause"), integer(frame.params, "causeCode")
        if name is not None and name in _CAUSES:
            return "agrees" if _CAUSES[name] == code else "differs", f"{name} came with {code}"
    return "unknown", "no call ended with one of them"


def _no_common_codec(case: Case) -> _Answer:
    for session in case.sessions("codecs"):
        answered = {frame.call for frame in session.came("answer")}
        for bye in session.came("bye"):
            if bye.call not in answered:
                code = integer(bye.params, "causeCode")
                return "agrees" if code == 88 else "differs", f"a call with one codec ended with {code}"
    if case.step("codecs") is None:
        return _NOT_ASKED
    return "unknown", "every codec that was offered alone was taken"


# Media.


def _ipv6(case: Case) -> _Answer:
    for session in case.sessions("talk"):
        offered = any(":" in address for frame in session.sent("invite") for address in _addresses(frame.sdp))
        back = any(":" in address for frame in session.came("answer", "media") for address in _addresses(frame.sdp))
        evidence = case.step("talk")
        if not offered or evidence is None or "heard" not in evidence.seen:
            return "unknown", "this host has no IPv6 address to offer"
        heard = evidence.seen["heard"] is True
        text = f"offered, and {'some' if back else 'none'} came back; audio was {'' if heard else 'not '}heard"
        return "agrees" if heard else "differs", text
    return _NOT_ASKED


def _servers(case: Case) -> _Answer:
    evidence = case.step("servers")
    if evidence is None:
        return _NOT_ASKED
    if not any(probe.url.startswith(GONE) for probe in evidence.probes):
        return "unknown", "other STUN and TURN servers than the platform's were asked"
    failed = [probe.url for probe in evidence.probes if not probe.ok]
    expected = all(url.startswith(GONE) for url in failed) and bool(failed)
    return "agrees" if expected else "differs", f"without an answer: {', '.join(failed) or 'none'}"


def _region(case: Case) -> _Answer:
    evidence = case.step("talk")
    region = evidence.seen.get("region") if evidence is not None else None
    if not isinstance(region, str):
        return _NOT_ASKED
    return "agrees" if region in _REGIONS else "differs", f"this session's is {region}"


def _codecs(sdp: str) -> list[str]:
    return list(dict.fromkeys(_RTPMAP.findall(sdp)))


def _addresses(sdp: str) -> Iterator[str]:
    for line in sdp.splitlines():
        if line.startswith("a=candidate:"):
            parts = line.split()
            yield from parts[4:5]


_WIRE: Final = "the server's side of the wire would have to be seen"
_HARM: Final = "it would take a frame or a load that no client may send to a server in use"

_RULES: Final[tuple[tuple[str, str, Callable[[Case], _Answer]], ...]] = (
    ("PS-001", "A call whose socket is lost lives on for 120 s", _detached_call_lives),
    ("PS-002", "A login with a session id of long ago is taken, and the id is kept", _old_session_id),
    ("PS-003", "Attempts to come back must fall into the time in which the call lives", _never("it is the client's")),
    ("PS-004", "attach comes before clientReady, which lists the ids of the calls", _order_of_attach),
    (
        "PS-005",
        "After a crash clientReady lists nothing, and attach follows it",
        _never("a server would have to crash"),
    ),
    ("PS-006", "An unanswered call ends with its socket", _never("it would leave somebody's telephone ringing")),
    ("PS-007", "recoverCall false ends a call with its socket", _never("it would take one more call")),
    ("PS-008", "updateMedia before the call counts as answered ends it", _never(_HARM)),
    ("PS-009", "A hold right after the answer is answered with holdState active", _early_hold),
    ("PS-010", "A re-attach offers one codec, actpass, on a profile of SAVPF", _reattach_offer),
    ("PS-011", "a=mid is absent from invites, and ours is echoed elsewhere", _mid),
    ("PS-012", "A login that ends says when, as auth-expires", _end_of_login),
    ("PS-013", "A refused login may be accepted a little later", _never("a fresh credential would be needed")),
    ("PS-014", "A failed login leaves the socket with the old one", _never("it would count as an attack")),
    ("PS-015", "The server's pings carry a serno", _server_pings),
    ("PS-020", "Digits with a pause in them are taken, with the reply SENT", _digits_by_info),
    ("PS-021", "Keys of the far end reach this client in no way", _digits_of_the_far_end),
    ("PS-022", "Production says ringing before the answer", _ringing),
    ("PS-023", "invite, answer, media and attach carry variables of the node", _variables),
    ("PS-024", "Custom headers come at the top level or in dialogParams", _headers),
    ("PS-025", "userVariables keep texts and booleans only", _never(_WIRE)),
    ("PS-026", "The causes from 500 up have these numbers", _high_causes),
    ("PS-027", "Without a common codec a call ends with 88", _no_common_codec),
    ("PS-028", "An unknown action of modify succeeds", _never(_HARM)),
    ("PS-029", "A frame of more than a million bytes costs the socket", _never(_HARM)),
    ("PS-030", "What is not JSON is answered with -32600", _never(_HARM)),
    ("PS-031", "The cancel of an own call ends with 487", _never("it would leave somebody's telephone ringing")),
    ("PS-039", "The server follows the last nomination until DTLS is up", _never(_WIRE)),
    ("PS-040", "The server sends to one candidate that its lists allow", _never(_WIRE)),
    ("PS-041", "Valid checks from another address are followed until then", _never(_WIRE)),
    ("PS-042", "Candidates with IPv6 addresses do no harm", _ipv6),
    ("PS-043", "Without trickle the candidates of the invite are all there is", _never(_WIRE)),
    ("PS-044", "RTCP may be switched off", _never("its absence proves nothing about the next call")),
    ("PS-045", "A far end that sends no RTP is normal", _never("it depends on who is called")),
    ("PS-046", "turn2 is gone, and the other STUN and TURN servers answer", _servers),
    ("PS-047", "The region is one of those that are known", _region),
)
