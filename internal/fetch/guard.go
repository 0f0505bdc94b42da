package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"remuda"
)

// special4 are the IPv4 networks that are not the public internet, after
// IANA's registry of special-purpose addresses (RFC 6890) and RFC 5771.
var special4 = []netip.Prefix{
	mustPrefix("0.0.0.0/8"),       // this network, unspecified
	mustPrefix("10.0.0.0/8"),      // private
	mustPrefix("100.64.0.0/10"),   // behind a carrier's NAT
	mustPrefix("127.0.0.0/8"),     // loopback
	mustPrefix("169.254.0.0/16"),  // link-local, and the metadata of clouds
	mustPrefix("172.16.0.0/12"),   // private
	mustPrefix("192.0.0.0/24"),    // protocol assignments
	mustPrefix("192.0.2.0/24"),    // documentation
	mustPrefix("192.88.99.0/24"),  // 6to4 relays
	mustPrefix("192.168.0.0/16"),  // private
	mustPrefix("198.18.0.0/15"),   // benchmarks
	mustPrefix("198.51.100.0/24"), // documentation
	mustPrefix("203.0.113.0/24"),  // documentation
	mustPrefix("224.0.0.0/4"),     // multicast
	mustPrefix("240.0.0.0/4"),     // reserved, broadcast
}

// special6 are the networks inside global6 that are not the public internet.
var special6 = []netip.Prefix{
	mustPrefix("2001::/23"),     // protocol assignments: Teredo, benchmarks, ORCHID
	mustPrefix("2001:db8::/32"), // documentation
	mustPrefix("3fff::/20"),     // documentation
}

var (
	global6   = []netip.Prefix{mustPrefix("2000::/3")}     // all global unicast; the rest of IPv6 is special
	nat64     = []netip.Prefix{mustPrefix("64:ff9b::/96")} // an IPv4 address in the last four bytes (RFC 6052)
	sixToFour = []netip.Prefix{mustPrefix("2002::/16")}    // an IPv4 address in bytes 2 to 5 (RFC 3056)
)

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// public says whether an address is on the public internet, or in a network of
// allow. An address that carries an IPv4 address is judged as that one.
func public(a netip.Addr, allow []netip.Prefix) bool {
	a = a.WithZone("").Unmap()
	if within(allow, a) {
		return true
	}
	if a.Is4() {
		return !within(special4, a)
	}
	b := a.As16()
	switch {
	case within(nat64, a):
		return public(netip.AddrFrom4([4]byte(b[12:])), allow)
	case within(sixToFour, a):
		return public(netip.AddrFrom4([4]byte(b[2:6])), allow)
	}
	return within(global6, a) && !within(special6, a)
}

// refusedError says that an address is not one to fetch from.
type refusedError struct{ addr netip.Addr }

// Error names the address.
func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is not on the public internet", e.addr)
}

// coded is the error for the user.
func (e *refusedError) coded(address string) error {
	return remuda.Errorf(remuda.Invalid, "fetch %s: %w", address, e).
		WithHint("if the server may read from there, start it with --allow-fetch %s", netip.PrefixFrom(e.addr, e.addr.BitLen()))
}

// control is called by the dialer for each address it is about to connect to,
// after names are resolved, so that neither a redirect nor a name whose
// address changes gets around it.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("check the address %q: %w", address, err)
	}
	if !public(to.Addr(), c.o.Allow) {
		return &refusedError{to.Addr().WithZone("").Unmap()}
	}
	return nil
}
