// Who is behind a client's address, as far as the address says: an IPv4 host has one, an IPv6 host
// changes its own within its /64 as it likes.
//
//   std::array<char, kClientNetworkBytes> scratch;
//   ClientNetwork("2001:db8:1:2:a:b:c:d", scratch)      // "2001:db8:1:2::/64"
//   ClientNetwork("::ffff:203.0.113.7", scratch)        // "203.0.113.7"
//   NetworkBlock("203.0.113.7")                         // "203": who its provider may be
//
// What is not an IPv6 address is returned as it is. Pure functions; any bytes are safe.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin {

// "2001:0db8:…" without leading zeros: four groups of four digits, their colons, "::/64".
inline constexpr std::size_t kClientNetworkBytes = 24;

// The view is into `address`, or into `scratch`.
std::string_view ClientNetwork(std::string_view address,
                               std::array<char, kClientNetworkBytes>& scratch);

// The first octet of an IPv4 address, the first two groups of what ClientNetwork makes of an IPv6
// one: blocks of the size that registries hand to providers. A view into `network`.
std::string_view NetworkBlock(std::string_view network);

}  // namespace tocsin
