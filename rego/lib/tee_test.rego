package attestctl.tee_test

import data.attestctl.snp
import data.attestctl.tdx
import data.attestctl.tee

test_bound_to[note] if {
	some note, case in {
		"all": {"have": ["nonce", "ak"], "want": ["ak", "nonce"], "is": true},
		"more": {"have": ["nonce", "ak"], "want": ["nonce"], "is": true},
		"less": {"have": ["nonce"], "want": ["nonce", "ak"], "is": false},
		"nothing wanted": {"have": ["nonce"], "want": [], "is": false},
		"nothing": {"have": [], "want": [], "is": false},
		"an object": {"have": {"a": "ak"}, "want": ["ak"], "is": false},
		"a text": {"have": "ak", "want": ["ak"], "is": false},
		"null": {"have": null, "want": ["ak"], "is": false},
	}
	bound := [1 | tee.bound_to(case.want)] with input as {"tee": {"bound_to": case.have}}
	count(bound) == 1 == case.is
}

test_tcb_reaches[note] if {
	some note, case in {
		"at the floor": {"tcb": {"snp": 3, "tee": 0}, "floors": {"snp": 3, "tee": 0}, "is": true},
		"above": {"tcb": {"snp": 4, "tee": 9}, "floors": {"snp": 3}, "is": true},
		"one below": {"tcb": {"snp": 9, "tee": 0}, "floors": {"snp": 3, "tee": 1}, "is": false},
		"no component": {"tcb": {"snp": 9}, "floors": {"snp": 3, "fmc": 0}, "is": false},
		"no floors": {"tcb": {"snp": 9}, "floors": {}, "is": false},
		"text": {"tcb": {"snp": "zzz"}, "floors": {"snp": 3}, "is": false},
		"null": {"tcb": {"snp": null}, "floors": {"snp": 0}, "is": false},
	}
	reached := [1 | snp.tcb_reaches("launch", case.floors)] with input as {"tee": {"snp": {"tcb": {"launch": case.tcb}}}}
	count(reached) == 1 == case.is
}

test_platform_known_but_for[note] if {
	some note, case in {
		"none": {"platform": {}, "accepted": [], "is": true},
		"zero": {"platform": {"unknown_bits": "00"}, "accepted": [], "is": true},
		"accepted": {"platform": {"unknown_bits": "0000000000000040"}, "accepted": ["1", "040"], "is": true},
		"not accepted": {"platform": {"unknown_bits": "40"}, "accepted": ["400"], "is": false},
		"a bit more": {"platform": {"unknown_bits": "41"}, "accepted": ["40"], "is": false},
		"null": {"platform": {"unknown_bits": null}, "accepted": ["40"], "is": false},
		"number": {"platform": {"unknown_bits": 0}, "accepted": ["40"], "is": false},
		"no platform": {"platform": null, "accepted": ["40"], "is": false},
	}
	known := [1 | snp.platform_known_but_for(case.accepted)] with input as {"tee": {"snp": {"platform": case.platform}}}
	count(known) == 1 == case.is
}

test_tcb_svn_reaches[note] if {
	some note, case in {
		"equal": {"svn": "0501020000000000000000000000000f", "floor": "0501020000000000000000000000000f", "is": true},
		"above": {"svn": "0a010200000000000000000000000010", "floor": "0901020000000000000000000000000f", "is": true},
		"below in the last": {
			"svn": "ffffffffffffffffffffffffffffff0e", "floor": "0501020000000000000000000000000f", "is": false,
		},
		"upper case": {"svn": "0A010200000000000000000000000000", "floor": "00000000000000000000000000000000", "is": false},
		"empty": {"svn": "", "floor": "00000000000000000000000000000000", "is": false},
		"number": {"svn": 5, "floor": "00000000000000000000000000000000", "is": false},
	}
	reached := [1 | tdx.tcb_svn_reaches(case.floor)] with input as {"tee": {"tdx": {"tee_tcb_svn": case.svn}}}
	count(reached) == 1 == case.is
}

test_no_demands_need_no_claims if {
	snp.policy_is({}) with input as {}
	snp.platform_is({}) with input as {}
	tdx.attributes_are({}) with input as {}
	tdx.rtmrs_match({}) with input as {}
}
