// What a web page elsewhere may make a browser ask, and what clients of our own ask.
#include "transport/host_policy.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* name;
  std::string listen;
  std::string method, host, origin;
  bool allowed;
};

class HostPolicyTest : public testing::TestWithParam<Case> {};

TEST_P(HostPolicyTest, Answers) {
  const Case& one = GetParam();
  const HostPolicy policy({.listen = one.listen, .hosts = {"tocsin.example"}});
  HttpRequest request{.method = one.method, .target = "/api/v1/silences"};
  if (!one.host.empty()) request.headers["host"] = one.host;
  if (!one.origin.empty()) request.headers["origin"] = one.origin;
  const std::optional<HttpResponse> refused = policy.Refusal(request);
  EXPECT_EQ(!refused, one.allowed);
  if (refused) {
    EXPECT_EQ(refused->status, 403);
    EXPECT_THAT(refused->body, HasSubstr("`hosts`")) << "says what to do";
  }
}

constexpr char kLocal[] = "127.0.0.1:9464";
constexpr char kAny[] = ":9464";

INSTANTIATE_TEST_SUITE_P(
    All, HostPolicyTest,
    testing::Values(
        // Clients that are no browsers.
        Case{"CurlByAddress", kLocal, "POST", "127.0.0.1:9464", "", true},
        Case{"CurlByName", kLocal, "POST", "localhost:9464", "", true},
        Case{"CurlBySubdomain", kLocal, "GET", "tocsin.localhost", "", true},
        Case{"CurlByV6", kLocal, "POST", "[::1]:9464", "", true},
        Case{"OtherLoopback", kLocal, "GET", "127.9.9.9", "", true},
        Case{"FinalDot", kLocal, "GET", "LOCALHOST.:9464", "", true},
        Case{"NoHost", kLocal, "POST", "", "", true},
        Case{"Listed", kLocal, "POST", "Tocsin.Example", "", true},
        Case{"TheAddressItListensOn", "10.1.2.3:9464", "GET", "10.1.2.3:9464", "", true},
        Case{"TheNameItListensOn", "tocsin.internal:9464", "GET", "tocsin.internal:9464", "", true},
        Case{"ProbeOfAPod", kAny, "GET", "10.1.2.3:9464", "", true},
        Case{"ProbeOfAPodInV6", "[::]:9464", "GET", "[fd00::7]:9464", "", true},
        // A page whose name was bound to our address.
        Case{"Rebound", kLocal, "POST", "evil.example", "", false},
        Case{"ReboundWithPort", kLocal, "GET", "evil.example:9464", "", false},
        Case{"ReboundToAnyAddress", kAny, "GET", "evil.example:9464", "", false},
        Case{"ReboundWithItsOrigin", kLocal, "POST", "evil.example", "http://evil.example", false},
        Case{"LooksLikeOurs", kLocal, "GET", "localhost.evil.example", "", false},
        Case{"LooksLikeAnAddress", kAny, "GET", "127.0.0.1.evil.example", "", false},
        Case{"BeginsLikeListed", kLocal, "GET", "tocsin.example.evil", "", false},
        Case{"EndsLikeListed", kLocal, "GET", "eviltocsin.example", "", false},
        Case{"TwoHosts", kLocal, "GET", "localhost, evil.example", "", false},
        Case{"AnotherAddress", kLocal, "GET", "192.0.2.1:9464", "", false},
        Case{"Bracket", kLocal, "GET", "[", "", false},
        // A page elsewhere that posts to us.
        Case{"ForeignPage", kLocal, "POST", "127.0.0.1:9464", "https://evil.example", false},
        Case{"ForeignPageDeletes", kLocal, "DELETE", "127.0.0.1:9464", "https://evil.example",
             false},
        Case{"LocalFile", kLocal, "POST", "127.0.0.1:9464", "null", false},
        Case{"AnotherLocalServer", kLocal, "POST", "127.0.0.1:9464", "http://127.0.0.1:3000",
             false},
        Case{"OurOwnPage", kLocal, "POST", "127.0.0.1:9464", "http://127.0.0.1:9464", true},
        Case{"OurOwnPageBehindAProxy", kLocal, "POST", "127.0.0.1:9464", "https://tocsin.example",
             true},
        Case{"AForeignPageReadsNothingWithoutCors", kLocal, "GET", "127.0.0.1:9464",
             "https://evil.example", true}),
    [](const testing::TestParamInfo<Case>& param_info) { return param_info.param.name; });

TEST(HostPolicyWithTls, TheCertificateSettlesTheNameButNotThePage) {
  const HostPolicy policy({.listen = ":9465", .tls = true});
  HttpRequest request{.method = "POST", .target = "/v1/events"};
  request.headers["host"] = "tocsin:9465";
  EXPECT_FALSE(policy.Refusal(request));
  request.headers["origin"] = "https://evil.example";
  EXPECT_TRUE(policy.Refusal(request));
}

}  // namespace
}  // namespace tocsin
