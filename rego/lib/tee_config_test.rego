package attestctl.tee_config_test

import data.attestctl.config

_hex(text, times) := concat("", [text | some _ in numbers.range(1, times)])

_milan := {"bootloader": 4, "tee": 0, "snp": 23, "microcode": 219}

_good := {
	"bindings": [["nonce"], ["ak", "nonce", "report_data"]],
	"bits": [["0"], ["40", "0000000000000400"]],
	"chip_ids": [[_hex("c4", 64)]],
	"count": [0, 1, 4294967296],
	"fmspcs": [["90c06f000000"]],
	"guest_policy": [{"smt": false}, {"cxl": true, "page_swap_disable": true}],
	"hex64s": [["00000000000600e7"]],
	"ids": [[_hex("00", 16), _hex("ab", 16)]],
	"measurements": [[_hex("5f", 48)]],
	"platform": [{"smt": false, "tio": false}],
	"rtmrs": [{"0": [_hex("00", 48)]}, {"3": [_hex("5f", 48), _hex("6f", 48)]}],
	"seconds": [1, 2592000],
	"sha384s": [[_hex("00", 48)]],
	"signing_keys": [["VCEK"], ["VLEK", "VCEK"]],
	"tcb_floors": [{"Milan": _milan, "Genoa": _milan}, {"Turin": object.union(_milan, {"fmc": 1})}],
	"tcb_statuses": [["UpToDate"], ["OutOfDate", "SWHardeningNeeded"]],
	"tcb_svn": [_hex("05", 16)],
	"td_attributes": [{"perfmon": true}],
	"vmpls": [[0], [3, 0]],
}

_bad := {
	"bindings": [[], "nonce", ["client"], [""], ["nonce", null], {"a": "nonce"}],
	"bits": [[], "40", [""], ["0x40"], [64], ["4G"], [_hex("0", 17)]],
	"chip_ids": [[], [_hex("00", 64)], [_hex("c4", 63)], [_hex("C4", 64)], _hex("c4", 64)],
	"count": [-1, 1.5, "1", null, [1], true],
	"fmspcs": [[], ["90c06f00000"], ["90C06F000000"], [90]],
	"guest_policy": [{}, {"debug": false}, {"migrate_ma": false}, {"smt": "false"}, {"smt": null}, ["smt"], true],
	"hex64s": [[], ["e7"], ["0x000000000600e7"], [1]],
	"ids": [[], [""], [_hex("ab", 15)], [null]],
	"measurements": [[], [""], [_hex("00", 48)], [_hex("5f", 47)], [_hex("5F", 48)], [null], null, _hex("5f", 48)],
	"platform": [{}, {"unknown_bits": true}, {"smt": 0}, "smt"],
	"rtmrs": [{}, {"4": [_hex("5f", 48)]}, {"0": []}, {"0": [""]}, {"0": _hex("5f", 48)}, [[_hex("5f", 48)]]],
	"seconds": [0, -1, "60", 0.5, null],
	"sha384s": [[], [""], [_hex("00", 32)]],
	"signing_keys": [[], ["none"], "VCEK", [0]],
	"tcb_floors": [
		{}, {"Milan": {}}, {"Milan": null}, {"Milan": {"snp": 23}}, {"Naples": _milan}, {"Turin": _milan}, [_milan],
		{"Milan": object.union(_milan, {"fmc": 1})}, {"Milan": object.union(_milan, {"snp": 256})},
		{"Milan": object.union(_milan, {"snp": -1})}, {"Milan": object.union(_milan, {"snp": "23"})},
		{"Milan": object.union(_milan, {"snp": null})},
	],
	"tcb_statuses": [[], ["unchecked"], ["UpToDate", "Revoked"], "UpToDate", ["uptodate"]],
	"tcb_svn": ["", _hex("05", 15), _hex("0G", 16), [_hex("05", 16)], 5],
	"td_attributes": [{}, {"debug": false}, {"perfmon": 1}],
	"vmpls": [[], 0, [4], ["0"], [4294967295], [-1]],
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

# A kind is asked for in words as well.
test_kind_has_words[kind] if {
	some kind, _ in _good
	problems := config.problems({"x": {"kind": kind, "what": "y"}}) with data.config as {}
	count(problems) == 1
}

test_every_kind_has_both if object.keys(_good) == object.keys(_bad)
