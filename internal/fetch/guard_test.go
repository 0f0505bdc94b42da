package fetch

import (
	"net/netip"
	"testing"
)

// Ensure every kind of address that is not the public internet is refused, in
// each form that carries it, and that the rest is not.
func TestGuardKnowsWhatIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false, "127.255.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.7": false, "203.0.113.7": false,
		"224.0.0.1": false, "239.1.2.3": false, "240.0.0.1": false, "255.255.255.255": false,
		"1.1.1.1": true, "9.255.255.255": true, "11.0.0.0": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.0.1": true, "172.32.0.0": true,
		"192.167.255.255": true, "198.17.0.1": true, "198.20.0.0": true, "223.255.255.255": true,

		"::": false, "::1": false, "::7f00:1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "fc00::1": false, "fd12:3456::1": false,
		"ff02::1": false, "100::1": false, "2001::1": false, "2001:2::1": false, "2001:10::1": false, "2001:db8::1": false, "3fff::1": false, "5f00::1": false,
		"4000::1": false, "2606:4700::1111": true, "2a00:1450::1": true, "2001:4860:4860::8888": true,

		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true, // mapped
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b::101:101": true, "64:ff9b:1::101:101": false, // NAT64
		"2002:7f00:1::1": false, "2002:a00:1::": false, "2002:101:101::1": true, // 6to4
	} {
		if got := public(netip.MustParseAddr(address), nil); got != want {
			t.Errorf("%s is public: %v, want %v", address, got, want)
		}
	}
}

// Ensure a network that is allowed is reached in every form, and no other.
func TestAllowedNetworkIsReached(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true, "2002:a01:203::1": true, "fd00:1::9": true,
		"10.2.0.1": false, "::ffff:10.2.0.1": false, "127.0.0.1": false, "fd00:2::9": false, "1.1.1.1": true,
	} {
		if got := public(netip.MustParseAddr(address), allow); got != want {
			t.Errorf("%s may be reached: %v, want %v", address, got, want)
		}
	}
}

// FuzzGuard compares the guard with the standard library's address classes and
// an IPv4 address with the IPv6 ones that carry it.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "10.0.0.1", "1.1.1.1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::1", "fe80::1", "2606:4700::1111"} {
		b := netip.MustParseAddr(seed).As16()
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		a := netip.AddrFrom16([16]byte(b[:16]))
		plain := a.Unmap()
		special := plain.IsPrivate() || plain.IsLoopback() || plain.IsLinkLocalUnicast() || plain.IsMulticast() ||
			plain.IsUnspecified() || plain.IsInterfaceLocalMulticast() || !plain.IsGlobalUnicast()
		if public(a, nil) && special {
			t.Errorf("%s is taken for public", a)
		}
		if public(a, nil) != public(plain, nil) {
			t.Errorf("%s and %s differ", a, plain)
		}
		v4 := netip.AddrFrom4([4]byte(b[:4]))
		want := public(v4, nil)
		for name, carrier := range map[string]netip.Addr{
			"mapped": netip.AddrFrom16(v4.As16()),
			"NAT64":  netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b, 12: b[0], b[1], b[2], b[3]}),
			"6to4":   netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}),
		} {
			if got := public(carrier, nil); got != want {
				t.Errorf("%s is public: %v, its %s form %s: %v", v4, want, name, carrier, got)
			}
		}
		if !public(a, []netip.Prefix{netip.PrefixFrom(plain, plain.BitLen())}) {
			t.Errorf("%s is refused though allowed", a)
		}
	})
}
