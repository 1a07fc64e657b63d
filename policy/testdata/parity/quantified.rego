package attest

default allow := false

allow if {
	every bank, registers in input.tpm.pcrs {
		bank in {"sha1", "sha256", "sha384"}
		every index, pcr in registers {
			to_number(index) < 24
			regex.match("^[0-9a-f]+$", pcr)
			count(pcr) == lengths[bank]
		}
	}
	some status in input.checks
	status == "pass"
	not failed
}

lengths := {"sha1": 40, "sha256": 64, "sha384": 96}

failed if {
	some id, status in input.checks
	not status in {"pass", "skip"}
	not startswith(id, "cel.")
}

deny contains {"code": "check", "msg": sprintf("%s: %v", [id, status])} if {
	some id, status in input.checks
	status != "pass"
	status != "skip"
}

deny contains {"code": "nested", "msg": sprintf("%v", [path])} if {
	some outer, list in input.request.map
	some inner, value in list
	every x in list {
		x != null
	}
	path := [outer, inner, type_name(value)]
}
