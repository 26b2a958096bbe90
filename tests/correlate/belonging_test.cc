// What an incident that has been open for hours still takes in, and what is an incident beside it.
#include "correlate/belonging.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const Labels kApi = {{"service", "api"}};
const Labels kWeb = {{"service", "web"}};
const Labels kDb = {{"dependency", "db"}};

// Passes time of which nothing is to be heard, in steps that do not take a test's time.
void Pass(Scenario* s, DurationUs duration) {
  for (const TimeUs end = s->tick + duration; s->tick < end;) {
    s->Tick();
    s->tick += std::min<DurationUs>(4 * kMinuteUs, std::max<DurationUs>(0, end - s->tick));
  }
}

int PagesIn(const CorrelatorOutput& out) {
  return static_cast<int>(std::count_if(
      out.notifications.begin(), out.notifications.end(), [](const Notification& told) {
        return told.action == NotificationAction::kTrigger && told.pages;
      }));
}

// Something that never clears.
struct Old {
  const char* what;
  FireOptions signal;
  bool breaches = false;
};

// Faults of half an hour that have something in common with it.
struct Later {
  const char* what;
  Labels labels;
};

// Three faults, the first so long after what is old and then so far apart, are three incidents and
// pages.
void ExpectThreeMore(const Old& old, const Later& later, DurationUs first, DurationUs apart) {
  SCOPED_TRACE(std::string(old.what) + ", then " + later.what + " after " + FormatDuration(first) +
               " and " + FormatDuration(apart) + " apart");
  Scenario s;
  s.config.correlate.topology = {{"web", {"api"}}, {"*", {"*"}}};
  const Hash128 never = s.Fire(old.signal);
  if (old.breaches) s.KeepBreaching(never);
  s.TickFor(kMinuteUs);
  std::set<std::string> numbers = {s.Only().number};
  int pages = 0;
  Pass(&s, first);
  for (int i = 0; i < 3; ++i) {
    const Hash128 fault = s.Fire({.detector = "later", .labels = later.labels});
    s.KeepBreaching(fault);
    s.TickFor(kMinuteUs);
    pages += PagesIn(s.out);
    ASSERT_EQ(s.OpenCount(), 2u);
    const Incident& incident = *s.correlator->Open()[1];
    numbers.insert(incident.number);
    EXPECT_THAT(incident.beside, ElementsAre("INC-2026-001"));
    Pass(&s, 30 * kMinuteUs);
    s.Clear(fault);
    Pass(&s, apart);
    ASSERT_EQ(s.OpenCount(), 1u);
  }
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(numbers, SizeIs(4));
}

TEST(Belonging, WhatNeverClearsSwallowsNothing) {
  const Old olds[] = {
      {"a burst that goes on as a trickle", {.detector = "burst", .labels = kApi}},
      {"one of the database", {.detector = "burst", .labels = kDb}},
      {"one of both", {.detector = "burst", .labels = {{"service", "api"}, {"dependency", "db"}}}},
      {"a disk that stays full", {.detector = "disk", .labels = kDb, .drifts = true}, true},
      {"a warning",
       {.detector = "pool", .labels = kDb, .level = 3, .category = Category::kCapacity},
       true},
      {"one endpoint that always fails",
       {.detector = "endpoint", .labels = {{"service", "api"}, {"endpoint", "/export"}}},
       true},
      {"a service that fails in part", {.detector = "errors", .labels = kApi}, true},
  };
  const Later laters[] = {
      {"the service", kApi}, {"one that needs it", kWeb}, {"the database", kDb}};
  unsigned seed = 1;
  for (const Old& old : olds) {
    for (const Later& later : laters) {
      std::mt19937 random(seed++);
      const auto between = [&](DurationUs least, DurationUs most) {
        return FloorTo(
            least + static_cast<DurationUs>(random() % 10'000) * ((most - least) / 10'000),
            10 * kSecondUs);
      };
      const DurationUs first = between(50 * kMinuteUs, 2 * kDayUs);
      ExpectThreeMore(old, later, first, between(50 * kMinuteUs, kDayUs));
    }
  }
}

// An outage of the database; further services that need it begin to fail later on.
TEST(Belonging, AnOutageTakesAlongWhoNeedsWhatIsDown) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](DurationUs most) {
      return FloorTo(static_cast<DurationUs>(random() % 10'000) * (most / 10'000), 10 * kSecondUs);
    };
    Scenario s;
    s.config.correlate.topology["*"] = {"*"};
    if (random() % 2 == 0) {
      s.config.correlate.topology.clear();
      for (int i = 0; i < 5; ++i) s.config.correlate.topology["s" + std::to_string(i)] = {"db"};
    }
    s.KeepBreaching(s.Fire({.detector = "db-down", .labels = kDb, .level = 1}));
    s.Tick();
    int pages = PagesIn(s.out);
    std::vector<Hash128> failing;
    for (int i = 0; i < 5; ++i) {
      Pass(&s, below(4 * kHourUs));
      const Labels service = {{"service", "s" + std::to_string(i)}};
      failing.push_back(s.Fire({.labels = service}));
      s.TickFor(kMinuteUs);
      pages += PagesIn(s.out);
      ASSERT_EQ(s.OpenCount(), 1u) << i;
    }
    EXPECT_THAT(s.Only().signals, SizeIs(6));
    EXPECT_EQ(pages, 1);
  }
}

TEST(Belonging, WhatExplainsMustStillHold) {
  const struct {
    const char* what;
    FireOptions cause;
    bool breaches;
    DurationUs after;
    std::size_t incidents;
  } cases[] = {
      {"down", {.detector = "down", .labels = kDb}, true, 6 * kHourUs, 1},
      {"full", {.labels = kDb, .category = Category::kCapacity}, true, 6 * kHourUs, 1},
      {"in the band below its threshold", {.labels = kDb}, false, 6 * kHourUs, 2},
      {"drifting", {.labels = kDb, .drifts = true}, true, 6 * kHourUs, 2},
      {"a warning", {.labels = kDb, .level = 3}, true, 6 * kHourUs, 2},
      {"for more than a day", {.labels = kDb}, true, 25 * kHourUs, 2},
      {"a service that is down", {.labels = kWeb, .down = true}, true, 6 * kHourUs, 1},
      {"a service that fails in part", {.labels = kWeb}, true, 6 * kHourUs, 2},
      {"downstream", {.labels = {{"service", "shop"}}, .down = true}, true, 6 * kHourUs, 2},
  };
  for (const auto& c : cases) {
    Scenario s;
    s.config.correlate.topology = {{"api", {"web", "db"}}, {"shop", {"api"}}};
    const Hash128 cause = s.Fire(c.cause);
    if (c.breaches) s.KeepBreaching(cause);
    s.Tick();
    Pass(&s, c.after);
    s.Fire({.detector = "late", .labels = kApi});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), c.incidents) << c.what;
  }
}

TEST(Belonging, WhatIsDownExplainsWhatElseIsSaidOfIt) {
  for (const bool down : {false, true}) {
    Scenario s;
    s.KeepBreaching(s.Fire({.detector = "errors", .labels = kApi, .down = down}));
    s.Tick();
    Pass(&s, 2 * kHourUs);
    s.Fire({.detector = "slow", .labels = kApi});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), down ? 1u : 2u);
  }
}

TEST(Belonging, AnAttackerWhoGoesOnIsTheSame) {
  for (const char* address : {"10.0.0.9", "10.0.0.7"}) {
    const auto attack = [](const Labels& labels, const std::string& from) {
      return FireOptions{
          .detector = "logins",
          .labels = labels,
          .category = Category::kSecurity,
          .evidence = {{.kind = "top", .name = "client_ip", .json = "[\"" + from + "\"]"}}};
    };
    Scenario s;
    s.KeepBreaching(s.Fire(attack(kApi, "10.0.0.9")));
    s.Tick();
    Pass(&s, 5 * kHourUs);
    s.Fire(attack(kWeb, address));
    s.Tick();
    EXPECT_EQ(s.OpenCount(), address == std::string("10.0.0.9") ? 1u : 2u);
  }
}

TEST(Belonging, WhatGetsWorseStepByStepIsOneIncident) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"db"}}};
  s.Fire({.labels = kApi});
  for (int i = 0; i < 10; ++i) {
    s.TickFor(25 * kMinuteUs);
    s.Fire({.labels = {{"service", "api"}, {"endpoint", "/e" + std::to_string(i)}}});
    s.Tick();
  }
  EXPECT_THAT(s.Only().signals, SizeIs(11));
  s.TickFor(50 * kMinuteUs);
  s.Fire({.detector = "pool", .labels = kDb});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 2u);
}

TEST(Belonging, AHigherLevelIsWorseAndTheSameSeriesAgainIsNot) {
  for (const bool raised : {false, true}) {
    Scenario s;
    s.config.correlate.topology = {{"api", {"db"}}};
    const Hash128 first = s.Fire({.labels = kApi, .level = 3});
    s.Fire({.detector = "other", .labels = kApi, .level = 3});
    s.TickFor(40 * kMinuteUs);
    if (raised) {
      s.Raise(first, 2);
    } else {
      s.Clear(first);
      s.Tick();
      s.Fire({.labels = kApi, .level = 3});
    }
    s.TickFor(10 * kMinuteUs);
    s.Fire({.detector = "pool", .labels = kDb, .level = 3});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), raised ? 1u : 2u);
  }
}

TEST(Belonging, ASeriesThatFiresOnAndOffStaysWhereItWas) {
  for (const DurationUs pause : {10 * kMinuteUs, 2 * kHourUs}) {
    Scenario s;
    s.Fire({.detector = "never-clears", .labels = kApi});
    const Hash128 once = s.Fire({.labels = kApi});
    s.TickFor(2 * kHourUs);
    s.Clear(once);
    s.TickFor(pause);
    s.Fire({.labels = kApi});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), pause == 10 * kMinuteUs ? 1u : 2u);
  }
}

TEST(Belonging, WhatIsFreshComesBeforeWhatOnlyExplains) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"db"}}};
  s.KeepBreaching(s.Fire({.detector = "pool", .labels = kDb, .category = Category::kCapacity}));
  s.TickFor(kMinuteUs);
  Pass(&s, 3 * kHourUs);
  s.Fire({.detector = "down", .labels = kDb});
  s.TickFor(kMinuteUs);
  ASSERT_EQ(s.OpenCount(), 2u);
  s.Fire({.detector = "errors", .labels = kApi});
  s.Tick();
  ASSERT_EQ(s.OpenCount(), 2u);
  EXPECT_THAT(s.correlator->Open()[1]->signals, SizeIs(2));
}

TEST(Belonging, ARaiseOfAnOldSignalLeavesApartWhatBeganBesideIt) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"db"}}};
  const Hash128 old = s.Fire({.detector = "burst", .labels = kApi, .level = 3});
  s.TickFor(kMinuteUs);
  Pass(&s, 7 * kHourUs);
  s.Fire({.detector = "pool", .labels = kDb});
  s.TickFor(kMinuteUs);
  ASSERT_EQ(s.OpenCount(), 2u);
  s.Raise(old, 1);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 2u);
}

TEST(Belonging, TheIncidentBesideAnotherSaysSo) {
  Scenario s;
  s.Fire({.detector = "burst", .labels = kApi});
  s.TickFor(kMinuteUs);
  Pass(&s, 7 * kHourUs);
  s.Fire({.detector = "pool", .labels = kApi});
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_THAT(s.out.lines[0].ToJson(), HasSubstr("\"beside\":[\"INC-2026-001\"]"));
  EXPECT_THAT(s.correlator->Open()[0]->ToJson(), Not(HasSubstr("beside")));
  ASSERT_THAT(s.out.lines[0].timeline, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].timeline[0].what, "opened beside");
  EXPECT_THAT(s.out.lines[0].timeline[0].text,
              HasSubstr("INC-2026-001, open since 2026-03-01T20:59:50Z and no worse for 7h"));
}

TEST(Belonging, NamesNoMoreIncidentsBesideItThanTheLimit) {
  Scenario s;
  for (std::size_t i = 0; i < limits::kBesideMax + 3; ++i) {
    s.Fire({.detector = "d" + std::to_string(i), .labels = kApi});
    Pass(&s, kHourUs);
  }
  s.Fire({.detector = "last", .labels = kApi});
  s.Tick();
  EXPECT_THAT(s.correlator->Open().back()->beside, SizeIs(limits::kBesideMax));
}

}  // namespace
}  // namespace tocsin
