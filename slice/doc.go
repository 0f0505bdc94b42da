// Package slice chooses items: a filter language for items and boxes, random
// samples, operations on sets, and the content hash of a frozen slice. It knows
// no SQL and no HTTP: [Parse] gives a checked syntax tree, which this package
// evaluates on rows in memory ([Filter.Item], [Filter.Box]: the reference) and
// a store compiles to a query.
//
// # The language
//
// A filter of items says which images are wanted, one of boxes which
// annotations and predictions:
//
//	metadata.weather = rain and count(horse) > 3
//	tag in (night, dusk) or reference_id starts with "cam2/"
//	any annotation (category = horse and area < 32 * 32)
//	no prediction (confidence >= 0.5) and count(annotations) > 0
//	any box (match("night test") in (fp, missed))
//	created in 2026-01-01..2026-01-31 and not text contains blurred
//
//	category = horse and width > 0.5 * item.width
//	source = "horses 3" and confidence < 0.5 and match("night test") = fp
//
// The grammar, in which keywords are in quotes and may be written in any case:
//
//	filter     = [ condition ]                                 nothing chooses everything
//	condition  = conjunction { "or" conjunction }
//	conjunction = negation { "and" negation }
//	negation   = "not" negation | comparison | "(" condition ")"
//	comparison = value ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	           | value [ "not" ] "in" "(" constant { "," constant } ")"
//	           | value [ "not" ] "in" value ".." value         both ends belong to it
//	           | field ( "contains" | "starts" "with" ) text
//	           | field "exists" | field "is" "missing"
//	           | quantifier boxes [ where ]                    items only
//	           | field                                         one that is true or false
//	quantifier = "any" | "all" | "no" | "none"
//	boxes      = "box" | "annotation" | "prediction"           or their plurals
//	where      = "(" condition on boxes ")"
//	value      = product { ( "+" | "-" ) product }
//	product    = operand { ( "*" | "%" ) operand }             after % a whole number
//	operand    = field | constant | "(" value ")"
//	           | "count" "(" ( category | boxes [ where ] ) ")"  items only
//	field      = name | name "(" evaluation ")" | "item." name | "metadata" { "." key }
//	constant   = text | word | number | date | "true" | "false"
//
// A text stands in "…", '…' or “…”, with \n, \t, \r, \uXXXX and a backslash
// before a quote or backslash. A word that names no field is a text too, as are
// keys and categories: letters, digits and underscores, not beginning with a
// digit (keys may). A date is 2026-01-31, the whole day in UTC, or an instant
// as in RFC 3339. count(horse) is short for count(annotations (category =
// horse)); box, annotation and prediction in count are never categories unless
// in quotes. Annotations are ground truth, predictions those of every model,
// boxes are both. == is =, <> is !=.
//
// # Fields of items
//
//	id            text     the item's own id
//	reference_id  text     as the user gave it
//	text          search   reference_id and every text in metadata, at any depth; contains only
//	width height  number   pixels of the upright image
//	area aspect   number   width × height, width ÷ height
//	author        text     who added it
//	created       time     when it was added
//	updated       time     the latest change of it or its boxes
//	tag           set      its tags
//	slice         set      the slices that it is in, by id or name
//	metadata.KEY  dynamic  what the user gave; KEY.KEY goes inside an object
//
// # Fields of boxes
//
//	id             text     the annotation's id
//	category       text     its category's name
//	x0 y0 x1 y1    number   pixels, from the top-left corner
//	width height   number   x1 − x0, y1 − y0
//	area aspect    number   width × height (0 if one is negative), width ÷ height (missing if height is not positive)
//	crowd          bool     covers many objects
//	source         set      human; or model and the model's id and name
//	author         text     the person who drew it
//	confidence     number   0 to 1; missing of ground truth
//	created        time     its first revision
//	updated        time     its current revision
//	metadata.KEY   dynamic  the annotation's own
//	match("EVAL")  text     tp, fp, missed, below or ignored in the evaluation of that id or name
//	iou("EVAL")    number   with the box that it was matched with there
//	item.FIELD     —        any field of its item
//
// = on a set asks whether it holds a text; sets and bools have no order.
// Metadata is compared as what the other side is, a number, text or bool; with
// a date as ISO text, by its characters. Lists and objects in metadata only
// exist. Texts are equal byte by byte and ordered by bytes; contains takes A–Z
// as a–z, starts with is exact. Times are compared in whole milliseconds.
//
// # What is missing
//
// There are two truth values. A comparison, in, contains or starts with that
// meets a missing value, or metadata of another type, is false; != and not in
// are exactly not = and not in (…), so they are true of it, and not turns
// anything round:
//
//	metadata.weather = rain          false where there is no weather
//	metadata.weather != rain         true there
//	not metadata.weather = rain      true there
//	metadata.speed < 5               false there, and where speed is "slow"
//	not metadata.speed < 5           true there, and where speed is "slow"
//
// Arithmetic with something missing is missing. JSON's null is missing, the
// empty text of metadata is not. In SQL, whose third truth value must not
// reach a not: wrap a comparison as COALESCE(…, FALSE) and != as NOT
// COALESCE(… = …, FALSE), and check a dynamic value's type before comparing;
// cast numbers to double precision, compare texts in the collation "C", and
// compute a % b as a - b * trunc(a / b). All of no boxes is true.
//
// # Limits
//
// A filter has at most 65536 bytes ([MaxText]) and 400 parts in the tree
// ([MaxNodes]), nested 50 deep ([MaxDepth]), and 1000 values in its lists
// ([MaxValues]): few enough for the limits of SQLite and PostgreSQL on
// parameters and expressions.
//
// # Canonical form
//
// [Filter.String] writes a filter with every short form spelled out and every
// text quoted; reading that gives the same tree. [ParseQuery] reads the other
// dataset API's queries into the same tree.
package slice
