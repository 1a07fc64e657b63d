package attestctl.config

# METADATA
# title: A value is a list of some words
# description: The words of a kind; whatever else a claim may say cannot be asked for.
is_kind(kind, value) if {
	_filled_array(value)
	every word in value {
		word in _words[kind]
	}
}

# unchecked and Revoked are no status to be content with.
_words := {
	"bindings": {"nonce", "ak", "extra", "report_data"},
	"signing_keys": {"VCEK", "VLEK"},
	"tcb_statuses": {
		"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
		"OutOfDate", "OutOfDateConfigurationNeeded",
	},
	"vmpls": {0, 1, 2, 3},
}

# METADATA
# title: A value is an object of some flags
# description: The flags of a kind, each true or false, and at least one.
is_kind(kind, value) if {
	_filled_object(value)
	every flag, want in value {
		flag in _flags[kind]
		is_boolean(want)
	}
}

# What has a setting of its own, such as debug, is not here.
_flags := {
	"guest_policy": {
		"smt", "single_socket", "cxl", "mem_aes_256_xts", "rapl_dis", "ciphertext_hiding", "page_swap_disable",
	},
	"platform": {"smt", "tsme", "ecc", "rapl_disabled", "ciphertext_hiding", "alias_check", "tio"},
	"td_attributes": {"sept_ve_disable", "migratable", "pks", "kl", "perfmon"},
}

# METADATA
# title: A value is a list of hex strings of one length
# description: In lower case, by the number of digits of the kind.
is_kind(kind, value) if {
	_filled_array(value)
	every text in value {
		_is_hex(text, _digits[kind])
	}
}

_digits := {"hex64s": 16, "fmspcs": 12, "ids": 32, "sha384s": 96}

# METADATA
# title: A value is a list of hex strings that say something
# description: As above, and none of them is zero, which stands for absent in a report.
is_kind(kind, value) if {
	_filled_array(value)
	every text in value {
		_is_hex(text, _nonzero_digits[kind])
		trim(text, "0") != ""
	}
}

_nonzero_digits := {"chip_ids": 128, "measurements": 96}

is_kind("bits", value) if {
	_filled_array(value)
	every text in value {
		some length in numbers.range(1, 16)
		_is_hex(text, length)
	}
}

is_kind("tcb_svn", value) if _is_hex(value, 32)

is_kind("count", value) if _is_count(value)

is_kind("seconds", value) if {
	_is_count(value)
	value > 0
}

is_kind("tcb_floors", value) if {
	_filled_object(value)
	every product, floors in value {
		is_object(floors)
		object.keys(floors) == _components[product]
		every least in floors {
			_is_count(least)
			least < 256
		}
	}
}

# Every component has to have its floor: one without would go unchecked.
_components := {
	"Milan": {"bootloader", "tee", "snp", "microcode"},
	"Genoa": {"bootloader", "tee", "snp", "microcode"},
	"Turin": {"fmc", "bootloader", "tee", "snp", "microcode"},
}

is_kind("rtmrs", value) if {
	_filled_object(value)
	every index, values in value {
		index in {"0", "1", "2", "3"}
		_filled_array(values)
		every register in values {
			_is_hex(register, 96)
		}
	}
}

_is_count(value) if {
	is_number(value)
	value >= 0
	floor(value) == value
}
