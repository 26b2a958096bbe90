#include "correlate/impact.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

Signal On(const std::string& detector, Labels labels) {
  Signal signal;
  signal.detector = detector;
  signal.series = std::move(labels);
  return signal;
}

SignalImpact Failed(std::int64_t failed, std::int64_t transactions = 0, double amount = 0) {
  SignalImpact impact;
  impact.failed = failed;
  impact.failed_transactions = transactions;
  impact.failed_amount = amount;
  return impact;
}

const Labels kApi = {{"env", "prod"}, {"service", "api"}};
const Labels kA = {{"env", "prod"}, {"service", "api"}, {"endpoint", "/a"}};
const Labels kB = {{"env", "prod"}, {"service", "api"}, {"endpoint", "/b"}};
const Labels kWeb = {{"env", "prod"}, {"service", "web"}};

TEST(ImpactTally, OverlappingSeriesCountOnce) {
  ImpactTally tally;
  tally.Add(On("endpoint", kA), Failed(30));
  tally.Add(On("endpoint", kB), Failed(20));
  EXPECT_EQ(tally.Total().failed, 50);
  tally.Add(On("service", kApi), Failed(45));  // it fired later
  EXPECT_EQ(tally.Total().failed, 50);
  tally.Add(On("service", kApi), Failed(15));
  EXPECT_EQ(tally.Total().failed, 60);
  tally.Add(On("critical", kApi), Failed(60));  // two detectors, one series
  EXPECT_EQ(tally.Total().failed, 60);
  tally.Add(On("service", kWeb), Failed(7));
  EXPECT_EQ(tally.Total().failed, 67);
}

TEST(ImpactTally, TransactionsAreToldApartFromRequests) {
  ImpactTally tally;
  tally.Add(On("service", kApi), Failed(1000));
  tally.Add(On("payments", {{"env", "prod"}, {"service", "api"}, {"name", "payment"}}),
            Failed(250, 250, 1999.5));
  const Impact total = tally.Total();
  EXPECT_EQ(total.failed, 1250);
  EXPECT_EQ(total.failed_transactions, 250);
  EXPECT_EQ(total.revenue, 1999.5);
}

TEST(ImpactTally, UsersAreDistinctAndSlownessIsNotDown) {
  ImpactTally tally;
  SignalImpact impact = Failed(2);
  impact.failed_users.Add("ann");
  impact.failed_users.Add("bob");
  tally.Add(On("service", kApi), impact);
  tally.Add(On("endpoint", kA), impact);
  EXPECT_EQ(tally.Total().users_affected, 2);
  Signal slow = On("slow", kApi);
  slow.degraded_only = true;
  impact.failed_users.Add("eve");
  tally.Add(slow, impact);
  EXPECT_EQ(tally.Total().users_affected, 3);
  EXPECT_EQ(tally.UsersDown(), 2);
}

TEST(ImpactTally, NothingKnownIsNothing) {
  const Impact total = ImpactTally().Total();
  EXPECT_EQ(total.users_affected, 0);
  EXPECT_EQ(total.failed, 0);
  EXPECT_EQ(total.revenue, std::nullopt);
}

TEST(ImpactTally, IsBounded) {
  ImpactTally tally;
  for (std::size_t i = 0; i <= limits::kIncidentSignalsMax; ++i) {
    EXPECT_FALSE(tally.capped());
    tally.Add(On("d" + std::to_string(i), kApi), Failed(1));
  }
  EXPECT_TRUE(tally.capped());
  EXPECT_EQ(tally.Total().users_affected, std::nullopt);
}

TEST(ImpactTally, AbsorbAddsWhatWasApart) {
  ImpactTally older;
  older.Add(On("service", kApi), Failed(5));
  ImpactTally younger;
  younger.Add(On("service", kApi), Failed(3));
  younger.Add(On("service", kWeb), Failed(2));
  older.Absorb(younger);
  EXPECT_EQ(older.Total().failed, 10);
}

}  // namespace
}  // namespace tocsin
