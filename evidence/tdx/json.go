package tdx

import "github.com/attestctl/attestctl/evidence/strictjson"

// form is how Intel writes what it signs. Real documents have about 5 KiB, 1500
// values and six levels.
var form = strictjson.Form{Depth: 12, Values: 1 << 15, Members: 64, Plain: true}

type node = strictjson.Node
