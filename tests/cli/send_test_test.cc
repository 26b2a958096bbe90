#include "cli/send_test.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "demo/pagerduty_standin.h"
#include "tests/transport/tls_standin.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimeUs kNow = 1'795'867'200 * kSecondUs;

// Answers with one status, and keeps what it was asked.
class Receiver {
 public:
  explicit Receiver(int status)
      : status_(status), http_({.address = "127.0.0.1:0"}, [this](const HttpRequest& request) {
          absl::MutexLock lock(&mutex_);
          bodies_.push_back(request.body);
          return HttpResponse{.status = status_, .body = "so it is"};
        }) {
    EXPECT_TRUE(http_.Start().ok());
  }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", http_.port()); }
  std::vector<std::string> bodies() const {
    absl::MutexLock lock(&mutex_);
    return bodies_;
  }

 private:
  const int status_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> bodies_ ABSL_GUARDED_BY(mutex_);
  HttpServer http_;
};

class SendTestTest : public testing::Test {
 protected:
  SendTestTest() { setenv("no_proxy", "127.0.0.1", 1); }

  SendTestResult Send(const std::string& yaml) {
    ErrorList errors;
    const std::optional<Config> config = LoadConfigText(yaml, "t.yaml", &errors);
    if (!config) {
      ADD_FAILURE() << errors.Sorted()[0].ToString();
      return {};
    }
    absl::StatusOr<SendTestResult> result = SendTest(*config, kNow);
    EXPECT_TRUE(result.ok());
    return result.ok() ? *std::move(result) : SendTestResult();
  }
};

TEST_F(SendTestTest, TellsEachSinkOnceThatItIsATestAndEndsIt) {
  Receiver good(202), bad(401);
  const SendTestResult result =
      Send(absl::StrCat("sinks: [{name: good, kind: webhook, url: '", good.url(),
                        "'}, {name: bad, kind: webhook, url: '", bad.url(), "'}]\n",
                        "routes: [{match: {level: [1, 2]}, to: [good, bad]}, {to: good}]\n"));
  EXPECT_EQ(result.text,
            "a test through every route:\n"
            "  1. SEV1, SEV2\n"
            "     good: trigger taken, resolve taken\n"
            "     bad: trigger failed (HTTP 401: so it is), resolve failed (HTTP 401: so it is)\n"
            "  2. everything\n"
            "     good: as above\n"
            "not everybody was reached: see the lines that say failed\n");
  EXPECT_FALSE(result.all_reached);
  EXPECT_THAT(
      good.bodies(),
      ElementsAre(AllOf(HasSubstr(R"("action":"trigger")"), HasSubstr("TEST: nothing is wrong"),
                        HasSubstr(R"("severity":"SEV2")")),
                  AllOf(HasSubstr(R"("action":"resolve")"), HasSubstr(R"("state":"resolved")"))));
}

TEST_F(SendTestTest, PagesAndEndsThePage) {
  setenv("TOCSIN_TEST_KEY", "secret-routing-key-0123456789abc", 1);
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  const SendTestResult result = Send(absl::StrCat(
      "sinks: [{name: oncall, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, url: '",
      pagerduty.url(), "'}]\n"));
  EXPECT_TRUE(result.all_reached) << result.text;
  ASSERT_EQ(pagerduty.Pages().size(), 1u);
  EXPECT_TRUE(pagerduty.Pages()[0].resolved);
}

TEST_F(SendTestTest, SparesCustomersAndShadowSparesAllButThisMachine) {
  setenv("TOCSIN_TEST_KEY", "key", 1);
  Receiver receiver(200);
  const std::string path = testing::TempDir() + "send_test.jsonl";
  std::filesystem::remove(path);
  const std::string sinks = absl::StrCat(
      "sinks: [{name: page, kind: statuspage, page: p, token_env: TOCSIN_TEST_KEY}, {name: hook, "
      "kind: "
      "webhook, url: '",
      receiver.url(), "'}, {name: log, kind: file, path: '", path, "'}]\n");
  const SendTestResult result = Send("mode: shadow\n" + sinks);
  EXPECT_EQ(result.text,
            "a test through every route:\n"
            "  1. everything\n"
            "     page: not sent: customers read it\n"
            "     hook: not sent: mode is shadow\n"
            "     log: trigger taken, resolve taken\n");
  EXPECT_TRUE(result.all_reached);
  EXPECT_THAT(receiver.bodies(), IsEmpty());
  std::ifstream in(path);
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_THAT(line, HasSubstr("TEST: nothing is wrong"));
}

std::string Hook(const std::string& url, const std::string& more = "") {
  return absl::StrCat("sinks: [{name: hook, kind: webhook, url: '", url, "'", more, "}]\n");
}

TEST_F(SendTestTest, TrustsTheAuthorityThatTheStanzaNamesAndNoOther) {
  TlsStandIn server({}), another({});
  SendTestResult result = Send(Hook(server.url(), ", ca_file: " + server.certificate()));
  EXPECT_THAT(result.text, HasSubstr("hook: trigger taken, resolve taken"));
  EXPECT_EQ(server.requests(), 2);
  for (const std::string& more : {std::string(), ", ca_file: " + another.certificate()}) {
    result = Send(Hook(server.url(), more));
    EXPECT_THAT(result.text, HasSubstr("trigger failed (SSL certificate problem: self-signed "
                                       "certificate)"));
    EXPECT_FALSE(result.all_reached);
  }
  EXPECT_EQ(server.requests(), 2) << "nothing is sent to whom nobody trusts";
}

TEST_F(SendTestTest, RefusesCertificatesOfOthersAndOldOnes) {
  TlsStandIn expired({.days = -1}), other({.host = "pager.example"});
  SendTestResult result = Send(Hook(expired.url(), ", ca_file: " + expired.certificate()));
  EXPECT_THAT(result.text, HasSubstr("trigger failed (SSL certificate problem: certificate has "
                                     "expired)"));
  result = Send(Hook(other.url(), ", ca_file: " + other.certificate()));
  EXPECT_THAT(result.text, HasSubstr("no alternative certificate subject name matches target host "
                                     "name '127.0.0.1'"));
  EXPECT_EQ(expired.requests() + other.requests(), 0);
}

// tests/integration has the real one; here is what needs none.
TEST_F(SendTestTest, SaysWhyKafkaDidNotTakeIt) {
  const std::string kafka =
      "sinks: [{name: stream, kind: kafka, brokers: '127.0.0.1:1', topic: t, timeout: 1s";
  SendTestResult result = Send(kafka + "}]\n");
  EXPECT_THAT(result.text, HasSubstr("stream: trigger failed (Local: Message timed out)"));
  EXPECT_FALSE(result.all_reached);
  result = Send(kafka + ", properties: {compresion.type: lz4}}]\n");
  EXPECT_THAT(result.text,
              HasSubstr("trigger failed (Kafka 400: kafka property compresion.type: No "
                        "such configuration property"));
}

TEST_F(SendTestTest, GoesThroughTheProxyOfTheStanza) {
  Receiver proxy(202);
  const SendTestResult result =
      Send(Hook("http://pager.example/x", absl::StrCat(", proxy: '", proxy.url(), "'")));
  EXPECT_THAT(result.text, HasSubstr("hook: trigger taken, resolve taken"));
  EXPECT_EQ(proxy.bodies().size(), 2u);
}

}  // namespace
}  // namespace tocsin
