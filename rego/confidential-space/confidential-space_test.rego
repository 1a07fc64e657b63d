package attest_test

import data.attest

_decide(claims, config) := decision if {
	decision := {"allow": attest.allow, "codes": {reason.code | some reason in attest.deny}} with input as claims
		with data.config as config
}

_project := "attestctl-forge"

_pk := "323ec92b08cdd09f3d8b8f3d246850072cfc8075bbe82f7dce0422acfe44a4e4"

_db := "93b967e5b91b2bdc45720f8f269afd2f42735dec97845e4e9c8f4fe042badbb5"

_root := "fe0b99d5163d2884e1be0500167c5c54e57f4db5941338baf1319d9a39f73a68"

_other := "c467b76c47f0bdfa2a9d816aed7acd026d12d4a14677d31d17670d52aeab9ca4"

_image := "sha256:a1b0135e6b83e3cbb3a2ed8532f4ae1aedb6d3ad2e2fc1f4c8fadb2befadae85"

_pcr4 := "be694679a92a6e3594494475290cf7ae1bb5c41afb2ac05159595669ad2b1c98"

_pcr8 := "186d1b9bb1f5424e31d6744d6c73a84e51146eb1058b7f786665db828de0cfb4"

_genuine := {
	"schema": "attestctl.claims/v1",
	"nonce_source": "expected",
	"hwmodel": "GCP_AMD_SEV",
	"swname": "CONFIDENTIAL_SPACE",
	"secboot": true,
	"oemid": 11129,
	"submods": {
		"gce": {"zone": "europe-west4-b", "project_id": _project},
		"container": {
			"image_digest": _image,
			"restart_policy": "Never",
			"args": ["/workload", "--serve"],
			"cmd_override": ["--verbose"],
			"env_override": {"MODE": "test"},
		},
	},
	"tpm": {
		"ak": {"trust": "certificate", "certificate": {"root_sha256": _root, "production": true}},
		"banks": ["sha1", "sha256"],
		"pcrs": {"sha256": object.union(
			{i: "00" | some i in ["0", "1", "2", "3", "5", "6", "7", "9", "14"]},
			{"4": _pcr4, "8": _pcr8},
		)},
	},
	"boot": {
		"bank": "sha256",
		"complete": true,
		"uefi_debug": false,
		"dma_protection_disabled": false,
		"kernel": {"command_line": "/vmlinuz root=/dev/dm-0 confidential-space.hardened=true"},
		"secure_boot": {
			"enabled": true,
			"pk": {"certificates": [{"sha256": _pk}]},
			"db": {"certificates": [{"sha256": _db}]},
			"dbx": {"hashes": [_other]},
			"authority": [{"variable": "db", "sha256": _db}],
		},
	},
}

_config := {
	"project_ids": [_project],
	"zones": ["europe-west4-b"],
	"hwmodels": ["GCP_AMD_SEV"],
	"image_digests": [_image],
	"restart_policies": ["Never"],
	"args": [["/workload", "--serve"]],
	"cmd_overrides": [["--verbose"]],
	"env_overrides": {"MODE": ["test"]},
	"secure_boot_pk": [_pk],
	"secure_boot_db": [_db],
	"ak_roots": [_root],
	"pcrs": {"sha256": {"4": [_pcr4], "8": [_pcr8]}},
}

_with(change) := object.union(_genuine, change)

_without(path) := json.remove(_genuine, [path])

_container(change) := _with({"submods": {"container": change}})

_boot(change) := _with({"boot": change})

_secure_boot(change) := _with({"boot": {"secure_boot": change}})

_pcrs(change) := _with({"tpm": {"pcrs": {"sha256": change}}})

test_allowed[note] if {
	some note, case in {
		"as configured": {"claims": _genuine, "config": _config},
		"any zone and arguments": {"claims": _genuine, "config": json.remove(_config, ["args", "zones", "ak_roots"])},
		"nothing overridden": {
			"claims": json.remove(_genuine, ["submods/container/cmd_override", "submods/container/env_override"]),
			"config": json.remove(_config, ["cmd_overrides", "env_overrides"]),
		},
		"debug image, allowed": {
			"claims": _boot({"kernel": {"command_line": "/vmlinuz confidential-space.hardened=false"}}),
			"config": object.union(_config, {"debug_images": true}),
		},
	}
	_decide(case.claims, case.config) == {"allow": true, "codes": set()}
}

_hardware := ["GCP_AMD_SEV", "GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"]

_reported(model, bound_to) := _with({"hwmodel": model, "tee": {"bound_to": bound_to}})

# On TDX the container is what the report says, so that no setting lets go of the key.
test_report_bound[note] if {
	some note, case in {
		"SNP": {"claims": _reported("GCP_AMD_SEV_SNP", ["nonce", "ak"]), "codes": set()},
		"TDX": {"claims": _reported("GCP_INTEL_TDX", ["nonce", "ak"]), "codes": set()},
		"SNP, nonce": {"claims": _reported("GCP_AMD_SEV_SNP", ["nonce"]), "codes": {"tee-binding"}},
		"TDX, nonce": {"claims": _reported("GCP_INTEL_TDX", ["nonce"]), "codes": {"tee-binding"}},
		"SNP, key": {"claims": _reported("GCP_AMD_SEV_SNP", ["ak"]), "codes": {"tee-binding"}},
		"text": {"claims": _reported("GCP_INTEL_TDX", "nonce ak"), "codes": {"tee-binding"}},
		"null": {"claims": _reported("GCP_INTEL_TDX", null), "codes": {"tee-binding"}},
		"SNP without a report": {"claims": _with({"hwmodel": "GCP_AMD_SEV_SNP"}), "codes": {"tee-binding"}},
		"TDX without a report": {"claims": _with({"hwmodel": "GCP_INTEL_TDX"}), "codes": {"tee-binding"}},
		"SEV has none": {"claims": _genuine, "codes": set()},
	}
	_decide(case.claims, object.union(_config, {"hwmodels": _hardware})).codes == case.codes
}

test_report_bound_to_the_nonce_where_that_suffices[note] if {
	some note, case in {
		"SNP": {"claims": _reported("GCP_AMD_SEV_SNP", ["nonce"]), "allow": true, "codes": set()},
		"SNP, report data": {
			"claims": _reported("GCP_AMD_SEV_SNP", ["report_data"]),
			"allow": false, "codes": {"tee-binding"},
		},
		"TDX": {"claims": _reported("GCP_INTEL_TDX", ["nonce"]), "allow": false, "codes": {"tee-binding"}},
		"TDX with the key": {"claims": _reported("GCP_INTEL_TDX", ["nonce", "ak"]), "allow": true, "codes": set()},
	}
	config := object.union(_config, {"hwmodels": _hardware, "tee_bound_to": ["nonce"]})
	_decide(case.claims, config) == {"allow": case.allow, "codes": case.codes}
}

# Each change of the claims is refused, by one rule alone.
test_denied_workload[note] if {
	some note, case in _workload_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_identity[note] if {
	some note, case in _identity_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

test_denied_boot[note] if {
	some note, case in _boot_cases
	_decide(case.claims, _config) == {"allow": false, "codes": {case.code}}
}

_workload_cases := {
	"not Confidential Space": {"code": "software", "claims": _with({"swname": "GCE"})},
	"swname absent": {"code": "software", "claims": _without("swname")},
	"swname of another type": {"code": "software", "claims": _with({"swname": 1})},
	"another image": {"code": "image", "claims": _container({"image_digest": concat("", ["sha256:", _other])})},
	"image absent": {"code": "image", "claims": _without("submods/container/image_digest")},
	"image of another type": {"code": "image", "claims": _container({"image_digest": [_image]})},
	"restarts": {"code": "restart-policy", "claims": _container({"restart_policy": "Always"})},
	"restart policy absent": {"code": "restart-policy", "claims": _without("submods/container/restart_policy")},
	"restart policy of another type": {"code": "restart-policy", "claims": _container({"restart_policy": false})},
	"other arguments": {"code": "args", "claims": _container({"args": ["--serve", "/workload"]})},
	"args absent": {"code": "args", "claims": _without("submods/container/args")},
	"args of another type": {"code": "args", "claims": _container({"args": "/workload"})},
	"command replaced": {"code": "cmd-override", "claims": _container({"cmd_override": ["--dump"]})},
	"command of another type": {"code": "cmd-override", "claims": _container({"cmd_override": {}})},
	"command null": {"code": "cmd-override", "claims": _container({"cmd_override": null})},
	"variable set": {"code": "env-override", "claims": _container({"env_override": {"DEBUG": "1"}})},
	"variable set to another value": {"code": "env-override", "claims": _container({"env_override": {"MODE": "prod"}})},
	"variables of another type": {"code": "env-override", "claims": _container({"env_override": []})},
	"variable of another type": {"code": "env-override", "claims": _container({"env_override": {"MODE": 1}})},
}

_identity_cases := {
	"schema v2": {"code": "claims-schema", "claims": _with({"schema": "attestctl.claims/v2"})},
	"schema absent": {"code": "claims-schema", "claims": _without("schema")},
	"logged": {"code": "logged", "claims": _with({"nonce_source": "log"})},
	"nonce source absent": {"code": "logged", "claims": _without("nonce_source")},
	"insecure option": {"code": "insecure-options", "claims": _with({"insecure": ["insecure-short-nonce"]})},
	"insecure of another type": {"code": "insecure-options", "claims": _with({"insecure": 0})},
	"not production": {"code": "ak-trust", "claims": _with({"tpm": {"ak": {"certificate": {"production": false}}}})},
	"another root": {"code": "ak-root", "claims": _with({"tpm": {"ak": {"certificate": {"root_sha256": _other}}}})},
	"root absent": {"code": "ak-root", "claims": _without("tpm/ak/certificate/root_sha256")},
	"another's project": {"code": "project", "claims": _with({"submods": {"gce": {"project_id": "someone-else"}}})},
	"project absent": {"code": "project", "claims": _without("submods/gce/project_id")},
	"project of another type": {"code": "project", "claims": _with({"submods": {"gce": {"project_id": 1}}})},
	"another zone": {"code": "zone", "claims": _with({"submods": {"gce": {"zone": "us-central1-a"}}})},
	"zone absent": {"code": "zone", "claims": _without("submods/gce/zone")},
	"other hardware": {"code": "hardware", "claims": _with({"hwmodel": "GCP_SHIELDED_VM"})},
	"hwmodel absent": {"code": "hardware", "claims": _without("hwmodel")},
}

_boot_cases := {
	"incomplete": {"code": "boot-incomplete", "claims": _boot({"complete": false})},
	"complete absent": {"code": "boot-incomplete", "claims": _without("boot/complete")},
	"unexplained": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": [13]})},
	"unexplained of another type": {"code": "pcr-unexplained", "claims": _boot({"unexplained_pcrs": "13"})},
	"firmware debug": {"code": "firmware-debug", "claims": _boot({"uefi_debug": true})},
	"firmware debug absent": {"code": "firmware-debug", "claims": _without("boot/uefi_debug")},
	"DMA": {"code": "dma-protection", "claims": _boot({"dma_protection_disabled": true})},
	"DMA absent": {"code": "dma-protection", "claims": _without("boot/dma_protection_disabled")},
	"Secure Boot off": {"code": "secure-boot", "claims": _secure_boot({"enabled": false})},
	"Secure Boot absent": {"code": "secure-boot", "claims": _without("boot/secure_boot/enabled")},
	"another platform key": {
		"code": "secure-boot-pk",
		"claims": _secure_boot({"pk": {"certificates": [{"sha256": _other}]}}),
	},
	"PK absent": {"code": "secure-boot-pk", "claims": _without("boot/secure_boot/pk")},
	"owner in db": {
		"code": "secure-boot-db",
		"claims": _secure_boot({"db": {"certificates": [{"sha256": _db}, {"sha256": _other}]}}),
	},
	"db absent": {"code": "secure-boot-db", "claims": _without("boot/secure_boot/db")},
	"dbx empty": {"code": "secure-boot-dbx", "claims": _secure_boot({"dbx": {"hashes": []}})},
	"dbx absent": {"code": "secure-boot-dbx", "claims": _without("boot/secure_boot/dbx")},
	"machine owner key": {
		"code": "secure-boot-authority",
		"claims": _secure_boot({"authority": [{"variable": "MokList", "sha256": _db}]}),
	},
	"authority absent": {"code": "secure-boot-authority", "claims": _without("boot/secure_boot/authority")},
	"validation disabled": {"code": "shim-validation", "claims": _secure_boot({"mok": {"validation_disabled": true}})},
	"MOK of another type": {"code": "shim-validation", "claims": _secure_boot({"mok": "none"})},
	"another boot loader": {"code": "boot-pcrs", "claims": _pcrs({"4": _other})},
	"another command line": {"code": "boot-pcrs", "claims": _pcrs({"8": _other})},
	"PCR of another type": {"code": "boot-pcrs", "claims": _pcrs({"8": ""})},
	"bank not verified": {"code": "boot-pcrs", "claims": _with({"tpm": {"banks": ["sha1"]}})},
	"banks absent": {"code": "boot-pcrs", "claims": _without("tpm/banks")},
	"debug image": {
		"code": "debug-image",
		"claims": _boot({"kernel": {"command_line": "/vmlinuz confidential-space.hardened=false"}}),
	},
	"word within a word": {
		"code": "debug-image",
		"claims": _boot({"kernel": {"command_line": "/vmlinuz x=confidential-space.hardened=true"}}),
	},
	"no command line": {"code": "debug-image", "claims": _without("boot/kernel")},
	"command line of another type": {"code": "debug-image", "claims": _boot({"kernel": {"command_line": 1}})},
}

test_denied_pinned_key if {
	claims := _with({"tpm": {"ak": {"trust": "pinned"}}})
	_decide(claims, json.remove(_config, ["ak_roots"])) == {"allow": false, "codes": {"ak-trust"}}
}

test_denied_without_overrides_configured[note] if {
	some note, case in {
		"cmd_overrides": {"code": "cmd-override", "config": json.remove(_config, ["cmd_overrides"])},
		"env_overrides": {"code": "env-override", "config": json.remove(_config, ["env_overrides"])},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

test_denied_by_config[note] if {
	some note, case in {
		"none": {"code": "config", "config": {}},
		"null": {"code": "config", "config": null},
		"without PCR 8": {"code": "config-pcrs", "config": object.union(
			json.remove(_config, ["pcrs"]),
			{"pcrs": {"sha256": {"4": [_pcr4]}}},
		)},
		"without PCR 4": {"code": "config-pcrs", "config": object.union(
			json.remove(_config, ["pcrs"]),
			{"pcrs": {"sha256": {"8": [_pcr8]}}},
		)},
		"without pcrs": {"code": "config", "config": json.remove(_config, ["pcrs"])},
		"SHA-1": {"code": "config", "config": object.union(_config, {"pcrs": {"sha1": {"4": [substring(_pcr4, 0, 40)]}}})},
		"bound to nothing": {"code": "config", "config": object.union(_config, {"tee_bound_to": []})},
		"bound to something else": {"code": "config", "config": object.union(_config, {"tee_bound_to": ["none"]})},
		"tag for digest": {"code": "config", "config": object.union(_config, {"image_digests": ["workload:latest"]})},
		"misspelt": {"code": "config", "config": object.union(_config, {"env_override": {"MODE": ["test"]}})},
		"args not nested": {"code": "config", "config": object.union(_config, {"args": ["/workload"]})},
		"variables without values": {"code": "config", "config": object.union(_config, {"env_overrides": {"MODE": []}})},
	}
	_decide(_genuine, case.config) == {"allow": false, "codes": {case.code}}
}

test_denied_without_claims[note] if {
	some note, claims in {"empty": {}, "null": null, "list": [], "text": "x", "number": 1, "true": true, "false": false}
	decision := _decide(claims, _config)
	not decision.allow
	wanted := {"project", "image", "software", "cmd-override", "env-override", "boot-pcrs", "debug-image", "secure-boot"}
	wanted & decision.codes == wanted
}
