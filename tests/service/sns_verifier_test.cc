#include "service/http_in/sns_verifier.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/service/sns_authority.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
class SnsVerifierTest : public testing::Test {
 protected:
  absl::StatusOr<SnsVerifier::Kind> Check(const std::string& body, TimeUs now = kNow) {
    return verifier_.Check(body, {.wall = now, .monotonic = monotonic_});
  }
  void ExpectRefused(const std::string& body, absl::StatusCode code, const std::string& why,
                     TimeUs now = kNow) {
    const auto kind = Check(body, now);
    EXPECT_EQ(kind.status().code(), code) << kind.status();
    EXPECT_THAT(std::string(kind.status().message()), HasSubstr(why));
  }

  TimeUs monotonic_ = kHourUs;
  std::map<std::string, std::string> served_ = {{kCertificate, Ours().Pem()}, {kSubscribe, "ok"}};
  std::vector<std::string> fetched_;
  SnsVerifier verifier_{{kTopic}, [this](const std::string& url) -> absl::StatusOr<std::string> {
                          fetched_.push_back(url);
                          const auto found = served_.find(url);
                          if (found == served_.end()) return absl::UnavailableError("status 404");
                          return found->second;
                        }};
};

TEST_F(SnsVerifierTest, NotificationsOfBothVersions) {
  for (const char* version : {"1", "2"}) {
    Fields fields = Notification();
    fields["SignatureVersion"] = version;
    EXPECT_EQ(*Check(Signed(fields)), SnsVerifier::Kind::kNotification);
    fields.erase("Subject");
    EXPECT_EQ(*Check(Signed(fields)), SnsVerifier::Kind::kNotification);
  }
  EXPECT_EQ(fetched_, std::vector<std::string>{kCertificate}) << "once for all of them";
}

TEST_F(SnsVerifierTest, ConfirmsSubscriptions) {
  EXPECT_EQ(*Check(Signed(Confirmation())), SnsVerifier::Kind::kConfirmed);
  EXPECT_EQ(fetched_, (std::vector<std::string>{kCertificate, kSubscribe}));
  Fields ended = Confirmation();
  ended["Type"] = "UnsubscribeConfirmation";
  EXPECT_EQ(*Check(Signed(ended)), SnsVerifier::Kind::kUnsubscribed);
  EXPECT_EQ(fetched_.size(), 2U) << "that address would subscribe again";
}

TEST_F(SnsVerifierTest, WhatIsNotSigned) {
  const std::string signed_body = Signed(Notification());
  for (const auto& [from, to] : std::map<std::string, std::string>{
           {"AlarmName", "AlarmNane"}, {"\"m1\"", "\"m2\""}, {"ALARM\"", "OK\""}}) {
    std::string body = signed_body;
    body.replace(body.find(from), from.size(), to);
    ExpectRefused(body, absl::StatusCode::kUnauthenticated, "Signature does not match");
  }
  const Authority other;
  ExpectRefused(Signed(Notification(), other), absl::StatusCode::kUnauthenticated,
                "Signature does not match");
  Fields version = Notification();
  version["SignatureVersion"] = "3";
  ExpectRefused(Signed(version), absl::StatusCode::kUnauthenticated, "neither 1 nor 2");
  ExpectRefused(Json(Notification()), absl::StatusCode::kPermissionDenied, "SigningCertURL");
  ExpectRefused("{}", absl::StatusCode::kInvalidArgument, "unknown SNS message type");
  ExpectRefused("[", absl::StatusCode::kInvalidArgument, "not a JSON object");
}

TEST_F(SnsVerifierTest, TopicsAndHostsThatAreNotOurs) {
  Fields topic = Notification();
  topic["TopicArn"] = "arn:aws:sns:us-east-1:666:alarms";
  ExpectRefused(Signed(topic), absl::StatusCode::kPermissionDenied, "TopicArn");
  for (const char* url :
       {"http://sns.us-east-1.amazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com.evil.x/a",
        "https://evil.x/sns.us-east-1.amazonaws.com/a.pem", "https://sns.s3.amazonaws.com/a.pem",
        "https://u@sns.us-east-1.amazonaws.com/a", "https://sns.us-east-1.amazonaws.com:444/a",
        "https://sns.us-east-1.amazonaws.com", "https://sns..amazonaws.com/a", "", "file:///etc/x",
        "https://sns.us-east-1.x.amazonaws.com/a", "https://sns-x.s3.us-east-1.amazonaws.com/a",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"}) {
    SCOPED_TRACE(url);
    Fields fields = Notification();
    fields["SigningCertURL"] = url;
    ExpectRefused(Signed(fields), absl::StatusCode::kPermissionDenied, "SigningCertURL");
    Fields confirmation = Confirmation();
    confirmation["SubscribeURL"] = url;
    ExpectRefused(Signed(confirmation), absl::StatusCode::kPermissionDenied, "SubscribeURL");
  }
  Fields page = Notification();
  page["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription";
  ExpectRefused(Signed(page), absl::StatusCode::kPermissionDenied, "not a certificate");
  EXPECT_THAT(fetched_, IsEmpty()) << "all of that is known before anything is fetched";
}

TEST_F(SnsVerifierTest, OldOnesMayBeReplays) {
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnauthenticated, "too long ago",
                kNow + SnsVerifier::kAgeMax + kHourUs);
  EXPECT_THAT(fetched_, IsEmpty());
  const std::string body = Signed(Notification());
  EXPECT_TRUE(Check(body, kNow + SnsVerifier::kAgeMax).ok());
  ExpectRefused(body, absl::StatusCode::kUnauthenticated, "too long ago",
                kNow + SnsVerifier::kAgeMax + 1);
  ExpectRefused(body, absl::StatusCode::kUnauthenticated, "in the future",
                kNow - SnsVerifier::kAheadMax - 1);
}

TEST_F(SnsVerifierTest, ACertificateThatCannotBeHad) {
  served_.erase(kCertificate);
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnavailable, "status 404");
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnavailable, "status 404");
  EXPECT_THAT(fetched_, SizeIs(1)) << "not asked for again at once";
  monotonic_ += SnsVerifier::kFailureKept;
  served_[kCertificate] = "no certificate";
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnauthenticated, "not a certificate");
  served_[kCertificate] = Ours().Pem();
  ExpectRefused(Signed(Notification()), absl::StatusCode::kUnauthenticated, "not a certificate");
  monotonic_ += SnsVerifier::kFailureKept;
  EXPECT_TRUE(Check(Signed(Notification())).ok());
}

TEST_F(SnsVerifierTest, WhoMakesUpAddressesKeepsNobodyBusy) {
  ASSERT_TRUE(Check(Signed(Notification())).ok());
  Fields made_up = Notification();
  for (std::size_t i = 0; i < 100; ++i) {
    made_up["SigningCertURL"] =
        absl::StrCat("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-x", i, ".pem");
    EXPECT_FALSE(Check(Signed(made_up)).ok());
  }
  EXPECT_THAT(fetched_, SizeIs(SnsVerifier::kFetchesPerMinute));
  EXPECT_TRUE(Check(Signed(Notification())).ok()) << "what is known is not asked for";
  // A minute later others have a chance.
  monotonic_ += kMinuteUs;
  EXPECT_FALSE(Check(Signed(made_up)).ok());
  EXPECT_THAT(fetched_, SizeIs(SnsVerifier::kFetchesPerMinute + 1));
}

TEST_F(SnsVerifierTest, WhatNeedsNoFetchIsSaidAtOnce) {
  const SnsVerifier::Clocks clocks{.wall = kNow, .monotonic = monotonic_};
  EXPECT_FALSE(verifier_.CheckAtOnce(Signed(Notification()), clocks)) << "its certificate";
  ASSERT_TRUE(Check(Signed(Notification())).ok());
  const auto verdict = verifier_.CheckAtOnce(Signed(Notification()), clocks);
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(**verdict, SnsVerifier::Kind::kNotification);
  EXPECT_FALSE(verifier_.CheckAtOnce(Signed(Confirmation()), clocks))
      << "the address that confirms";
}

}  // namespace
}  // namespace tocsin
