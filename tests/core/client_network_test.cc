#include "core/client_network.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

std::string Network(std::string_view address) {
  std::array<char, kClientNetworkBytes> scratch;
  return std::string(ClientNetwork(address, scratch));
}

TEST(ClientNetwork, AnIpv6AddressIsItsSubnet) {
  EXPECT_EQ(Network("2001:db8:1:2:a:b:c:d"), "2001:db8:1:2::/64");
  EXPECT_EQ(Network("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff"), "2001:db8:1:2::/64");
  EXPECT_EQ(Network("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "ffff:ffff:ffff:ffff::/64");
  EXPECT_EQ(Network("2001:db8::1"), "2001:db8:0:0::/64");
  EXPECT_EQ(Network("2001:db8:1:2::"), "2001:db8:1:2::/64");
  EXPECT_EQ(Network("::1"), "0:0:0:0::/64");
  EXPECT_EQ(Network("::"), "0:0:0:0::/64");
  EXPECT_EQ(Network("1::2:3:4:5:6:7"), "1:0:2:3::/64");
  EXPECT_EQ(Network("fe80::1%eth0"), "fe80:0:0:0::/64");
  EXPECT_EQ(Network("64:ff9b::192.0.2.33"), "64:ff9b:0:0::/64");
}

TEST(ClientNetwork, AMappedAddressIsTheIpv4One) {
  EXPECT_EQ(Network("::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(Network("0:0:0:0:0:ffff:203.0.113.7"), "203.0.113.7");
}

TEST(ClientNetwork, EverythingElseStaysAsItIs) {
  for (const char* text : {"", "203.0.113.7", "host", "203.0.113.7:443", ":", ":::", "1:2",
                           "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:", "12345::1", "g::1",
                           "1:2:3:4:5:6:7:1.2.3.4", "[2001:db8::1]"}) {
    EXPECT_EQ(Network(text), text);
  }
  const std::string huge = std::string(1 << 20, ':') + "1";
  EXPECT_EQ(Network(huge), huge);
}

TEST(ClientNetwork, SurvivesAnything) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    std::string text(random() % 48, ' ');
    for (char& c : text) c = "0123456789abcdefFG:::::.%"[random() % 25];
    const std::string network = Network(text);
    if (network != text && network.find("::/64") != network.npos) {
      EXPECT_LE(network.size(), kClientNetworkBytes);
      EXPECT_EQ(Network(network.substr(0, network.size() - 3)), network) << text;  // without "/64"
    }
  }
}

TEST(NetworkBlock, IsWhatProvidersAreGiven) {
  EXPECT_EQ(NetworkBlock("203.0.113.7"), "203");
  EXPECT_EQ(NetworkBlock("2001:db8:1:2::/64"), "2001:db8");
  EXPECT_EQ(NetworkBlock("0:0:0:0::/64"), "0:0");
  EXPECT_EQ(NetworkBlock(""), "");
  EXPECT_EQ(NetworkBlock("host"), "host");
  EXPECT_EQ(NetworkBlock("a:b"), "a:b");
}

}  // namespace
}  // namespace tocsin
