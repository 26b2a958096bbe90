#include "correlate/belonging.h"

#include <algorithm>
#include <string>

#include "correlate/evidence.h"

namespace tocsin {
namespace {

// The effects of a cause show within this time. A deploy is suspected for half an hour. The
// forecasts of the profiles that page look as far ahead, and may be wrong by half of that: a leak
// forecast as "full in 29 min" kills the process after 31 min. The slowest rules look at 5 min for
// 10 min, and CloudWatch data arrives 15 min late.
constexpr DurationUs kWorseMax = 45 * kMinuteUs;
constexpr DurationUs kOnAndOffMax = 30 * kMinuteUs;
// After a day baselines take what fires for usual.
constexpr DurationUs kExplainsMax = kDayUs;
// A failing dependency of this level or more severe explains failures of its callers.
constexpr int kExplainingLevel = 2;

// Whether the same series fired and cleared so recently that this is the same problem again.
bool FiresOnAndOff(const IncidentRecord& record, const Signal& signal) {
  const std::vector<Signal>& signals = record.incident.signals;
  return std::any_of(signals.begin(), signals.end(), [&](const Signal& member) {
    return !member.firing() && member.cleared_at + kOnAndOffMax >= signal.onset &&
           member.detector == signal.detector && member.series == signal.series;
  });
}

// Whether what `cause` reports about the component explains a signal of the components `own`: a
// signal about the same component, or about one that needs it. A service that fails only in part
// does not explain a later signal about itself: it has been failing in part all along.
bool TakesAlong(const Signal& cause, const Component& component, const std::vector<Component>& own,
                const Topology& topology) {
  const bool fails =
      component.dependency && cause.category == Category::kAvailability && !cause.degraded_only;
  const bool severe = component.dependency && cause.level <= kExplainingLevel;
  return std::any_of(own.begin(), own.end(), [&](const Component& one) {
    if (one.name == component.name) return cause.down || fails;
    return (cause.down || severe) && topology.Reaches(one, component);
  });
}

// `own` and `attacker` are the components and attacking address of `signal`.
bool Explains(const Signal& cause, const Signal& signal, const std::vector<Component>& own,
              const std::string& attacker, const BelongingContext& context) {
  if (!cause.firing() || cause.drifts || cause.onset + kExplainsMax < signal.onset) return false;
  // The condition must have been seen to hold recently; a gauge shows it only with its samples.
  if (cause.breached_at == kNoTime || cause.breached_at + context.join_window < signal.onset) {
    return false;
  }
  if (!attacker.empty() && attacker == AttackingAddress(cause)) return true;
  const std::vector<Component> components = ComponentsOf(cause);
  return std::any_of(components.begin(), components.end(), [&](const Component& component) {
    return TakesAlong(cause, component, own, context.topology);
  });
}

}  // namespace

Belonging BelongingOf(const IncidentRecord& record, const Signal& signal, bool same_series,
                      const BelongingContext& context) {
  const TimeUs onset = record.incident.onset;
  if (signal.onset >= onset - context.join_window && signal.onset <= onset + context.join_window) {
    return Belonging::kMember;
  }
  const bool fires = !record.firing.empty();
  if (same_series && (!fires || FiresOnAndOff(record, signal))) return Belonging::kMember;
  // A slower detector may report only now something that began while the others still fired.
  if (!fires && (record.quiet_since == kNoTime || signal.onset >= record.quiet_since)) {
    return Belonging::kNone;
  }
  if (signal.onset <= record.worsened_at + kWorseMax) return Belonging::kMember;
  const std::vector<Signal>& signals = record.incident.signals;
  const std::vector<Component> own = ComponentsOf(signal);
  const std::string attacker = AttackingAddress(signal);
  const bool explained = std::any_of(signals.begin(), signals.end(), [&](const Signal& member) {
    return Explains(member, signal, own, attacker, context);
  });
  return explained ? Belonging::kCause : Belonging::kBeside;
}

}  // namespace tocsin
