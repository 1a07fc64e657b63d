package attest_test

test_denied_by_config[note] if {
	some note, case in {
		"none": {"code": "config", "config": {}},
		"null": {"code": "config", "config": null},
		"misspelt": {"code": "config", "config": _and({"measurement": [_launched]})},
		"without measurements": {"code": "config", "config": json.remove(_config, ["measurements"])},
		"no measurement": {"code": "config", "config": _and({"measurements": []})},
		"empty measurement": {"code": "config", "config": _and({"measurements": [""]})},
		"measurement of zeros": {"code": "config", "config": _and({"measurements": [_hex("00", 48)]})},
		"null measurement": {"code": "config", "config": _and({"measurements": null})},
		"without floors": {"code": "config", "config": json.remove(_config, ["tcb_floors"])},
		"a component without floor": {"code": "config", "config": json.remove(_config, ["tcb_floors/Milan/snp"])},
		"Turin without FMC": {"code": "config", "config": json.remove(_config, ["tcb_floors/Turin/fmc"])},
		"VMPL of the host": {"code": "config", "config": _and({"vmpls": [4294967295]})},
		"bound to nothing": {"code": "config", "config": _and({"bound_to": []})},
		"unsigned": {"code": "config", "config": _and({"signing_keys": ["none"]})},
		"debug as a demand": {"code": "config", "config": _and({"guest_policy": {"debug": true}})},
		"unknown platform flag": {"code": "config", "config": _and({"platform": {"tsmee": true}})},
		"flag as text": {"code": "config", "config": _and({"allow_provisional": "true"})},
		"bits as a number": {"code": "config", "config": _and({"accept_unknown_platform_bits": [64]})},
		"ID key of zeros": {"code": "config", "config": _and({"id_key_digests": [_hex("00", 48)]})},
		"nobody's machines": {
			"code": "config-identity",
			"config": json.remove(_config, ["project_ids", "ak_keys", "chip_ids"]),
		},
		"not any machine": {"code": "config-identity", "config": object.union(_least, {"any_machine": false})},
		"project without binding": {
			"code": "config-unbound",
			"config": object.union(json.remove(_config, ["bound_to", "ak_keys"]), {"bound_to": ["nonce"]}),
		},
		"key without binding": {
			"code": "config-unbound",
			"config": object.union(json.remove(_config, ["bound_to", "project_ids"]), {"bound_to": ["report_data"]}),
		},
		"VLEK of anybody": {"code": "config-csp", "config": json.remove(_config, ["csp_ids"])},
		"floors of no product": {"code": "config-floors", "config": json.remove(
			_and({"launch_tcb_floors": {"Genoa": _old}}),
			["launch_tcb_floors/Milan"],
		)},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

# Whatever says which machine is meant will do.
test_identity_by[setting] if {
	some setting in ["project_ids", "ak_keys", "chip_ids"]
	config := object.union(json.remove(_least, ["any_machine"]), {setting: _config[setting]})
	_decide(_genuine, config) == {"allow": true, "codes": set()}
}
