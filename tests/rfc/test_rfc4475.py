"""RFC 4475, in its order: what `parse` and `validate` make of each torture message.

The RFC leaves some choices open; where it does ("an element may be liberal"), the strict one was taken and
the test says so.  What a message asks of higher layers (401, 406, 415, 416, 420) is asked of them; here it
must be readable.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rayswitch.sip.digest import parse_credentials
from rayswitch.sip.message import BadMessage, Request, Response, parse, respond, validate
from rayswitch.sip.stream import FramingError, StreamFramer
from rayswitch.sip.uri import OtherUri, Uri

DATA = Path(__file__).parents[1] / "data" / "rfc4475"


def raw(name: str) -> bytes:
    return (DATA / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    """The message, parsed and checked, and proved to leave as it came."""
    message = parse(raw(name))
    validate(message)
    assert isinstance(message, Request)
    assert raw(name).startswith(message.encode())
    return message


def response(name: str) -> Response:
    message = parse(raw(name))
    validate(message)
    assert isinstance(message, Response)
    assert message.encode() == raw(name)
    return message


def refusal(name: str) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        validate(parse(raw(name)))
    return caught.value


# 3.1.1 Valid messages


def test_wsinv_white_space_folds_and_cases() -> None:
    message = request("wsinv")
    assert message.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert message.ruri.params == {"unknownparam": None}
    assert message.to.tag == "1918181833n"
    assert message.to.uri.user == "vivekg"
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.max_forwards == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert message.get("subject") == ""
    assert message.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.routes[0].uri.params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    contact = message.contacts[0]
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert len(message.body) == 150


def test_intmeth_every_character_of_the_grammar() -> None:
    message = request("intmeth")
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.method == message.cseq.method == method
    assert message.ruri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.ruri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.ruri.host == "example.com"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromparam''~+*_!.-%"] == '"работающий"'
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.get("extensionheader-!.%*+_`'~") == "\ufeff大停電"
    assert message.max_forwards == 255


def test_esc01_escapes_are_resolved_once_and_only_where_they_mean_something() -> None:
    message = request("esc01")
    assert message.ruri.user == "sips%3Auser%40example.com"
    assert message.ruri.user_decoded == "sips:user@example.com"
    assert message.ruri.host == "example.net"
    assert message.to.uri == Uri.parse("sip:user@example.com")
    assert message.from_.uri.user_decoded == "I have spaces"
    contact = message.contacts[0].uri
    assert contact.user_decoded == "caller"
    assert contact.params == {"lr": None, "name": "v%61lue%25%34%31"}
    assert contact == Uri.parse("sip:caller@host5.example.net;lr;name=value%2541")


def test_escnull_escaped_nulls_in_users() -> None:
    message = request("escnull")
    assert message.to.uri.user_decoded == "null-\0-null"
    one, two = message.contacts
    assert (one.uri.user_decoded, two.uri.user_decoded) == ("\0", "\0\0")
    assert one.uri != two.uri


def test_esc02_a_percent_sign_that_escapes_nothing() -> None:
    message = request("esc02")
    assert message.method == message.cseq.method == "RE%47IST%45R"
    assert message.to.display == "%Z%45"
    assert message.via.branch == "z9hG4bK209%fzsnel234"
    assert [str(contact.uri) for contact in message.contacts] == [
        "sip:alias1@host1.example.com",
        "sip:alias3@host3.example.com",
    ]
    assert message.get("c%6fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp_no_space_before_the_bracket() -> None:
    message = request("lwsdisp")
    assert (message.from_.display, message.from_.tag) == ("caller", "323")
    assert str(message.from_.uri) == "sip:caller@example.com"


def test_longreq_long_values() -> None:
    message = request("longreq")
    assert message.to.display.endswith("extreme proportion")
    assert message.to.uri.port == 6000
    assert len(message.to.uri.params) == 3
    assert message.from_.tag is not None
    assert len(message.from_.tag) > 100
    vias = message.vias
    assert len(vias) == 34
    assert [via.host for via in vias[:33]] == [f"sip{number}.example.com" for number in range(33, 0, -1)]
    assert vias[-1].received == "192.0.2.5"
    assert vias[-1].branch is not None
    assert message.call_id.startswith("longreq.onereally")
    assert len(message.contacts[0].uri.user or "") > 100


def test_dblreq_what_follows_the_message_in_a_datagram_is_dropped() -> None:
    message = request("dblreq")
    assert (message.method, message.call_id) == ("REGISTER", "dblreq.0ha0isndaksdj99sdfafnl3lk233412")
    assert message.body == b""
    assert b"INVITE" not in message.encode()


def test_dblreq_on_a_stream_is_two_messages() -> None:
    with pytest.raises(FramingError) as caught:  # one octet too many behind the second
        StreamFramer().feed(raw("dblreq") + b"\r\n\r\n")
    first, second = [parse(item) for item in caught.value.found if isinstance(item, bytes)]
    assert (first.cseq.method, second.cseq.method) == ("REGISTER", "INVITE")
    assert len(second.body) == 150


def test_semiuri_a_semicolon_in_the_user_part() -> None:
    uri = request("semiuri").ruri
    assert (uri.user_decoded, uri.host, uri.params) == ("user;par=u@example.net", "example.com", {})


def test_transports_any_token_may_be_one() -> None:
    vias = request("transports").vias
    assert [via.transport for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    assert [via.host for via in vias] == [f"t{number}.example.com" for number in range(1, 6)]


def test_mpart01_a_binary_body_in_parts() -> None:
    message = request("mpart01")
    assert message.content_type == "multipart/mixed"
    assert len(message.body) == 553
    assert b"\0" in message.body
    assert message.encode() == raw("mpart01")


def test_unreason_a_reason_in_utf_8() -> None:
    message = response("unreason")
    assert (message.status, message.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")


def test_noreason_an_empty_reason() -> None:
    message = response("noreason")
    assert (message.status, message.reason) == (100, "")


# 3.1.2 Invalid messages


def test_badinv01_extra_separators() -> None:
    error = refusal("badinv01")
    assert error.status == 400
    assert error.request is not None


def test_clerr_a_body_shorter_than_content_length() -> None:
    error = refusal("clerr")
    assert error.status == 400
    assert error.request is not None
    answer = respond(error.request, error.status)
    assert answer.get("call-id") == "clerr.0ha0isndaksdjweiafasdk3"
    assert StreamFramer().feed(raw("clerr")) == []  # on a stream the rest may still come


def test_ncl_a_negative_content_length() -> None:
    assert refusal("ncl").status == 400
    with pytest.raises(FramingError):
        StreamFramer().feed(raw("ncl"))


def test_scalar02_numbers_too_large_in_a_request() -> None:
    assert refusal("scalar02").status == 400
    message = parse(raw("scalar02"))
    with pytest.raises(BadMessage, match="CSeq"):
        _ = message.cseq
    with pytest.raises(BadMessage, match="Max-Forwards"):
        _ = message.max_forwards
    assert message.expires == 2**32 - 1
    assert message.contacts[0].expires == 2**32 - 1


def test_scalarlg_numbers_too_large_in_a_response_which_is_dropped() -> None:
    error = refusal("scalarlg")
    assert (error.status, error.request) == (400, None)


def test_quotbal_an_unterminated_quoted_string() -> None:
    error = refusal("quotbal")
    assert error.status == 400
    assert error.request is not None
    assert b'To: "Mr. J. User <sip:j.user@example.com>\r\n' in respond(error.request, 400, to_tag="t").encode()


def test_ltgtruri_brackets_around_the_request_uri() -> None:
    assert refusal("ltgtruri").status == 400


def test_lwsruri_white_space_inside_the_request_uri() -> None:
    assert refusal("lwsruri").status == 400


def test_lwsstart_more_than_one_space_in_the_request_line() -> None:
    """Strict: being liberal is allowed, but two readers might then see two messages."""
    error = refusal("lwsstart")
    assert error.status == 400
    assert error.request is not None


def test_trws_space_at_the_end_of_the_request_line() -> None:
    """Strict, as above."""
    error = refusal("trws")
    assert error.status == 400
    assert error.request is not None


def test_escruri_headers_in_the_request_uri() -> None:
    """Strict: 400 rather than dropping them."""
    assert refusal("escruri").status == 400
    message = parse(raw("escruri"))
    assert isinstance(message, Request)
    assert message.ruri.headers == "Route=%3Csip:example.com%3E"


def test_baddate_a_time_zone_that_is_not_gmt() -> None:
    """Nothing here depends on Date, so the request stands."""
    assert request("baddate").get("date") == "Fri, 01 Jan 2010 16:00:00 EST"


def test_regbadct_headers_in_a_contact_without_brackets() -> None:
    error = refusal("regbadct")
    assert error.status == 400
    assert error.request is not None


def test_badaspec_spaces_inside_an_address() -> None:
    """Strict: 400."""
    assert refusal("badaspec").status == 400


def test_baddn_a_display_name_that_needs_quotes() -> None:
    """Strict: 400, the quotes are not inferred."""
    assert refusal("baddn").status == 400


def test_badvers_an_unknown_version() -> None:
    error = refusal("badvers")
    assert error.status == 505
    assert error.request is not None
    assert respond(error.request, 505).get("cseq") == "1 OPTIONS"


def test_mismatch01_cseq_names_another_method() -> None:
    assert refusal("mismatch01").status == 400


def test_mismatch02_unknown_method_and_cseq_names_another() -> None:
    """400 and 501 are both right; the mismatch is found first."""
    assert refusal("mismatch02").status == 400


def test_bigcode_a_status_code_too_large_which_is_dropped() -> None:
    assert refusal("bigcode").request is None


# 3.2 Transaction layer, 3.3 application layer, 3.4 compatibility


def test_badbranch_the_magic_cookie_and_nothing_behind_it() -> None:
    assert request("badbranch").via.branch == "z9hG4bK"


def test_insuf_mandatory_headers_missing() -> None:
    error = refusal("insuf")
    assert error.status == 400
    assert error.request is not None
    assert respond(error.request, 400, to_tag="t").names == ["cseq", "via"]


def test_unkscm_an_unknown_scheme_is_for_the_router_to_refuse() -> None:
    uri = request("unkscm").ruri
    assert isinstance(uri, OtherUri)
    assert (uri.scheme, uri.opaque) == ("nobodyknowsthisscheme", "totallyopaquecontent")


def test_novelsc_a_known_scheme_that_sip_does_not_route() -> None:
    assert request("novelsc").ruri.scheme == "soap.beep"


def test_unksm2_unknown_schemes_in_headers() -> None:
    message = request("unksm2")
    assert message.to.uri.scheme == "isbn"
    assert (message.from_.uri.scheme, message.from_.tag) == ("http", "3234233")
    assert message.contacts[0].uri.scheme == "name"


def test_bext01_the_required_extensions_can_be_read() -> None:
    message = request("bext01")
    assert message.values("require") == ["nothingSupportsThis", "nothingSupportsThisEither"]
    assert message.values("proxy-require") == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]


def test_invut_an_unknown_body_can_be_refused_by_type() -> None:
    message = request("invut")
    assert (message.content_type, len(message.body)) == ("application/unknownformat", 40)


def test_regaut01_an_unknown_scheme_is_no_credentials() -> None:
    assert parse_credentials(request("regaut01").get("authorization") or "") is None


def test_multi01_single_headers_doubled() -> None:
    error = refusal("multi01")
    assert error.status == 400
    assert error.request is not None


def test_mcl01_two_content_lengths() -> None:
    assert refusal("mcl01").status == 400
    with pytest.raises(FramingError):
        StreamFramer().feed(raw("mcl01"))


def test_bcast_a_response_with_a_second_via_that_is_not_ours() -> None:
    """Readable; the transaction layer drops it since its top branch is none of ours."""
    assert [via.host for via in response("bcast").vias] == ["192.0.2.198", "255.255.255.255"]


def test_zeromf_no_hops_left_is_no_error_here() -> None:
    assert request("zeromf").max_forwards == 0


def test_cparam01_an_unknown_contact_parameter() -> None:
    contact = request("cparam01").contacts[0]
    assert str(contact.uri) == "sip:+19725552222@gw1.example.net"
    assert contact.params == {"unknownparam": None}


def test_cparam02_an_unknown_uri_parameter() -> None:
    contact = request("cparam02").contacts[0]
    assert contact.params == {}
    assert contact.uri.params == {"unknownparam": None}


def test_regescrt_headers_in_a_registered_contact_are_kept() -> None:
    assert request("regescrt").contacts[0].uri.headers == "Route=%3Csip:sip.example.com%3E"


def test_sdp01_an_accept_that_excludes_sdp() -> None:
    assert request("sdp01").values("accept") == ["text/nobodyKnowsThis"]


def test_inv2543_a_request_of_rfc_2543() -> None:
    message = parse(raw("inv2543"))
    validate(message)
    assert isinstance(message, Request)
    assert message.via.branch is None
    assert message.from_.tag is None
    assert message.max_forwards is None
    assert message.to.params == {"user": "phone"}
    assert message.record_routes[0].uri.params == {"maddr": "ss1.example.com"}
    assert message.body.startswith(b"v=0")
    assert message.encode().endswith(b"\r\nContent-Length: 105\r\n\r\n" + message.body)


def test_every_message_of_the_rfc_is_treated_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in DATA.glob("*.dat") if f"def test_{path.stem}_" not in source] == []
