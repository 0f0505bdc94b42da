// Package store keeps every table and every query of the server: datasets,
// items, annotations and all their revisions, slices, models, evaluations,
// users, keys and jobs. One SQL text serves SQLite and PostgreSQL.
//
// [DB.Read] and [DB.Write] run a function in a transaction; the queries are
// methods of [Tx], one file a noun. A Tx knows its caller: it finds only what
// belongs to the caller's world, and what it makes bears the caller's name.
// What Write has returned from without an error is durable.
//
// # Conventions of the tables
//
// Ids are texts; times are milliseconds since 1970 in BIGINT; numbers DOUBLE
// PRECISION; JSON is TEXT. Texts compare by bytes in both databases. A query
// has ordinal parameters $1, $2 …, and no arrays. What only one database
// understands stands behind [Tx.dialect] or, in a migration, after "-- sqlite:"
// or "-- postgres:".
package store
