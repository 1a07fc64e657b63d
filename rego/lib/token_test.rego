package attestctl.token_test

import data.attestctl.evidence
import data.attestctl.token

_issuer := "https://confidentialcomputing.googleapis.com"

_genuine := {"iss": _issuer, "oemid": 11129, "token": {"iss": _issuer}}

test_google if token.google with input as _genuine

test_not_google[note] if {
	some note, claims in {
		"staging": object.union(_genuine, {"iss": "https://staging-confidentialcomputing.sandbox.googleapis.com"}),
		"trailing slash": object.union(_genuine, {"iss": concat("", [_issuer, "/"])}),
		"upper case": object.union(_genuine, {"iss": upper(_issuer)}),
		"Intel": object.union(_genuine, {"iss": "https://portal.trustauthority.intel.com"}),
		"list": object.union(_genuine, {"iss": [_issuer]}),
		"null": object.union(_genuine, {"iss": null}),
		"issuer absent": json.remove(_genuine, ["iss"]),
		"spelled otherwise": object.union(_genuine, {"token": {"iss": "https://example.com"}}),
		"not spelled": object.union(json.remove(_genuine, ["token"]), {"token": {}}),
		"token absent": json.remove(_genuine, ["token"]),
		"token a text": object.union(_genuine, {"token": _issuer}),
		"another enterprise": object.union(_genuine, {"oemid": 311}),
		"number as text": object.union(_genuine, {"oemid": "11129"}),
		"oemid absent": json.remove(_genuine, ["oemid"]),
		"no document": null,
	}
	not token.google with input as claims
}

test_only_a_token[note] if {
	some note, case in {
		"Google's": {"claims": _genuine, "is": true},
		"anybody's": {"claims": {"token": {"x-ms-sevsnpvm-is-debuggable": false}}, "is": true},
		"empty": {"claims": {"token": {}}, "is": true},
		"absent": {"claims": {"iss": _issuer}, "is": false},
		"a list": {"claims": {"token": [{}]}, "is": false},
		"null": {"claims": {"token": null}, "is": false},
		"with a TPM": {"claims": object.union(_genuine, {"tpm": {}}), "is": false},
		"with a boot": {"claims": object.union(_genuine, {"boot": {"complete": false}}), "is": false},
		"with a report": {"claims": object.union(_genuine, {"tee": {"type": "TDX"}}), "is": false},
		"with the TPM taken out": {"claims": object.union(_genuine, {"tpm": null}), "is": false},
		"no document": {"claims": null, "is": false},
		"a text": {"claims": "token", "is": false},
	}
	alone := [1 | evidence.only_a_token] with input as case.claims
	count(alone) == 1 == case.is
}

test_secure_boot_on if token.secure_boot_on with input as {"secboot": true}

test_secure_boot_off[note] if {
	some note, claims in {
		"off": {"secboot": false},
		"absent": {},
		"null": {"secboot": null},
		"text": {"secboot": "true"},
		"number": {"secboot": 1},
	}
	not token.secure_boot_on with input as claims
}

# Absent is good in one rule only, and in no other type of document.
test_dbgstat[note] if {
	some note, case in {
		"disabled": {"claims": {"dbgstat": "disabled-since-boot"}, "disabled": true, "not_enabled": true},
		"enabled": {"claims": {"dbgstat": "enabled"}, "disabled": false, "not_enabled": false},
		"as some documents spell it": {"claims": {"dbgstat": "enable"}, "disabled": false, "not_enabled": false},
		"disabled later": {"claims": {"dbgstat": "disabled"}, "disabled": false, "not_enabled": false},
		"upper case": {"claims": {"dbgstat": "DISABLED-SINCE-BOOT"}, "disabled": false, "not_enabled": false},
		"empty": {"claims": {"dbgstat": ""}, "disabled": false, "not_enabled": false},
		"null": {"claims": {"dbgstat": null}, "disabled": false, "not_enabled": false},
		"list": {"claims": {"dbgstat": ["disabled-since-boot"]}, "disabled": false, "not_enabled": false},
		"absent": {"claims": {}, "disabled": false, "not_enabled": true},
		"no document": {"claims": null, "disabled": false, "not_enabled": false},
	}
	disabled := [1 | token.debugging_disabled] with input as case.claims
	not_enabled := [1 | token.debugging_not_enabled] with input as case.claims
	[count(disabled) == 1, count(not_enabled) == 1] == [case.disabled, case.not_enabled]
}

test_service_account_in[note] if {
	some note, case in {
		"one": {"have": ["a@b"], "is": true},
		"one of two": {"have": ["x@y", "a@b"], "is": true},
		"another": {"have": ["x@y"], "is": false},
		"as a part": {"have": ["xa@b", "a@bx"], "is": false},
		"none": {"have": [], "is": false},
		"text": {"have": "a@b", "is": false},
		"object": {"have": {"a": "a@b"}, "is": false},
		"null": {"have": null, "is": false},
	}
	found := [1 | token.service_account_in(["a@b", "c@d"])] with input as {"google_service_accounts": case.have}
	count(found) == 1 == case.is
}

test_supported_as[note] if {
	some note, case in {
		"stable": {"have": ["LATEST", "STABLE", "USABLE"], "is": true},
		"usable": {"have": ["USABLE"], "is": false},
		"experimental": {"have": ["EXPERIMENTAL"], "is": false},
		"lower case": {"have": ["stable"], "is": false},
		"none": {"have": [], "is": false},
		"text": {"have": "STABLE", "is": false},
		"object": {"have": {"STABLE": "STABLE"}, "is": false},
		"null": {"have": null, "is": false},
	}
	claims := {"submods": {"confidential_space": {"support_attributes": case.have}}}
	found := [1 | token.supported_as(["STABLE"])] with input as claims
	count(found) == 1 == case.is
}

test_absent_is_none if {
	not token.service_account_in(["a@b"]) with input as {}
	not token.supported_as(["STABLE"]) with input as {"submods": {"confidential_space": {}}}
	not token.supported_as(["STABLE"]) with input as {}
}
