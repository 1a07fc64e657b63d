package attestctl.config_test

import data.attestctl.boot
import data.attestctl.config
import data.attestctl.message

_settings := {
	"zones": {"kind": "names", "required": true, "what": "where"},
	"any": {"kind": "flag", "required": false, "what": "whether"},
}

test_well_formed[note] if {
	some note, document in {
		"required": {"zones": ["a"]},
		"all": {"zones": ["a", "b"], "any": false},
	}
	config.well_formed(_settings) with data.config as document
	count(config.problems(_settings)) == 0 with data.config as document
}

# Not well formed and a problem to tell go together, so that no denial is silent.
test_problem[note] if {
	some note, document in {
		"none": {},
		"null": null,
		"list": [],
		"text": "x",
		"missing": {"any": true},
		"unknown": {"zones": ["a"], "zone": ["a"]},
		"malformed": {"zones": ["a"], "any": "true"},
		"null setting": {"zones": null},
	}
	not config.well_formed(_settings) with data.config as document
	problems := config.problems(_settings) with data.config as document
	{problem.code | some problem in problems} == {"config"}
}

test_no_table_is_never_well_formed if not config.well_formed({}) with data.config as {}

test_setting_is_required_unless_it_says_otherwise if {
	not config.well_formed({"zones": {"kind": "names", "what": "where"}}) with data.config as {}
}

_hex := "93b967e5b91b2bdc45720f8f269afd2f42735dec97845e4e9c8f4fe042badbb5"

_good := {
	"flag": [true, false],
	"names": [["a"], ["a", "b"]],
	"sha256s": [[_hex]],
	"digests": [[_hex], [concat("", [_hex, substring(_hex, 0, 32)])], [concat("", [_hex, _hex])]],
	"image_digests": [[concat("", ["sha256:", _hex])]],
	"pcr_indexes": [[], [10, 23]],
	"pcrs": [{"sha256": {"0": [_hex], "23": [_hex, _hex]}}, {"sha512": {"8": [concat("", [_hex, _hex])]}}],
	"technology": ["GCP_SHIELDED_VM", "GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"],
	"argument_lists": [[[]], [["a", ""]]],
	"values_by_name": [{"A": [""]}, {"A": ["x"], "B": ["y"]}],
}

_bad := {
	"flag": ["true", 1, null, []],
	"names": ["a", [], [""], [1], {"a": "a"}, null],
	"sha256s": [_hex, [], [upper(_hex)], [substring(_hex, 0, 63)], [concat("", [_hex, "0"])], [1]],
	"digests": [_hex, [], [substring(_hex, 0, 40)], [null]],
	"image_digests": [[], [_hex], [concat("", ["sha256:", upper(_hex)])], ["image:latest"], [7]],
	"pcr_indexes": [[4], [14], [24], ["10"], {}, 10],
	"pcrs": [
		{}, {"sha256": {}}, {"sha256": {"0": []}}, {"sha256": {"24": [_hex]}}, {"sha256": {"00": [_hex]}},
		{"sha256": {"0": _hex}}, {"sha384": {"0": [_hex]}}, {"sha1": {"0": [substring(_hex, 0, 40)]}}, [_hex],
	],
	"technology": ["AMD_SEV", "gcp_amd_sev", "", 1, ["GCP_AMD_SEV"], {"GCP_AMD_SEV": 1}, null, true],
	"argument_lists": [[], ["a"], [[1]], "a", {}],
	"values_by_name": [{}, {"A": []}, {"A": "x"}, {"A": [1]}, ["A"]],
	"no such kind": ["a", ["a"], true, {}],
}

test_kind_accepts[kind] if {
	some kind, values in _good
	every value in values {
		config.is_kind(kind, value)
	}
}

test_kind_refuses[kind] if {
	some kind, values in _bad
	every value in values {
		not config.is_kind(kind, value)
	}
}

test_every_kind_has_both if object.keys(_good) == object.keys(_bad) - {"no such kind"}

test_seen[note] if {
	some note, case in {
		"text": {"input": {"a": {"b": "x\u0001"}}, "want": `"x\x01"`},
		"number": {"input": {"a": {"b": 1}}, "want": "1"},
		"false": {"input": {"a": {"b": false}}, "want": "false"},
		"list": {"input": {"a": {"b": ["x"]}}, "want": `["x"]`},
		"null": {"input": {"a": {"b": null}}, "want": "absent"},
		"absent": {"input": {"a": {}}, "want": "absent"},
		"parent of another type": {"input": {"a": "text"}, "want": "absent"},
		"no document": {"input": null, "want": "absent"},
	}
	message.seen(["a", "b"]) == case.want with input as case.input
}

test_message_without_config if {
	message.one_of(["a"], "zones") == "a is absent, want one of zones: unset" with input as {}
}

test_pins[note] if {
	some note, case in {
		"no pins": {},
		"no registers": {"sha256": {}},
	}
	not boot.pcrs_match(case) with input as {"tpm": {"banks": ["sha256"], "pcrs": {"sha256": {}}}}
	not boot.pins_pcr(case, "4")
}
