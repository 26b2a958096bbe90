#include "correlate/impact.h"

#include <algorithm>

#include "core/limits.h"

namespace tocsin {
namespace {

constexpr std::size_t kNoParent = SIZE_MAX;

std::int64_t Rounded(double estimate) { return static_cast<std::int64_t>(estimate + 0.5); }

std::string SeriesKey(const Signal& signal) {
  std::string key;
  AppendKeyPart(signal.detector, &key);
  for (const auto& [name, value] : signal.series) {
    AppendKeyPart(name, &key);
    AppendKeyPart(value, &key);
  }
  return key;
}

// Whether every event of `inner` also has the labels of `outer`.
bool Covers(const Labels& outer, const Labels& inner) {
  return std::all_of(outer.begin(), outer.end(), [&inner](const auto& label) {
    return std::find(inner.begin(), inner.end(), label) != inner.end();
  });
}

}  // namespace

void ImpactTally::Counts::Add(const Counts& counts) {
  other += counts.other;
  transactions += counts.transactions;
  amount += counts.amount;
}

void ImpactTally::Counts::Raise(const Counts& counts) {
  other = std::max(other, counts.other);
  transactions = std::max(transactions, counts.transactions);
  amount = std::max(amount, counts.amount);
}

void ImpactTally::AddUnlisted(const SignalImpact& impact) {
  users_.Merge(impact.failed_users);
  users_down_.Merge(impact.failed_users);
  capped_ = true;
}

void ImpactTally::Add(const Signal& signal, const SignalImpact& impact) {
  users_.Merge(impact.failed_users);
  if (!signal.degraded_only) users_down_.Merge(impact.failed_users);
  capped_ = capped_ || impact.capped;
  if (impact.failed == 0 && impact.failed_transactions == 0) return;

  const std::string key = SeriesKey(signal);
  auto found = series_.find(key);
  if (found == series_.end()) {
    if (series_.size() >= limits::kIncidentSignalsMax) {
      capped_ = true;
      return;
    }
    found = series_.emplace(key, Series{.labels = signal.series, .counts = {}}).first;
  }
  found->second.counts.Add({.other = impact.failed - impact.failed_transactions,
                            .transactions = impact.failed_transactions,
                            .amount = impact.failed_amount});
}

void ImpactTally::Absorb(const ImpactTally& other) {
  users_.Merge(other.users_);
  users_down_.Merge(other.users_down_);
  capped_ = capped_ || other.capped_;
  for (const auto& [key, series] : other.series_) {
    const auto found = series_.find(key);
    if (found != series_.end()) {
      found->second.counts.Add(series.counts);
    } else if (series_.size() < limits::kIncidentSignalsMax) {
      series_.emplace(key, series);
    } else {
      capped_ = true;
    }
  }
}

std::vector<std::size_t> ImpactTally::Parents(const std::vector<const Entry*>& series) {
  std::vector<std::size_t> parents(series.size(), kNoParent);
  for (std::size_t i = 1; i < series.size(); ++i) {
    // Series are sorted by number of labels, so the nearest preceding one that covers this is the
    // tightest.
    for (std::size_t j = i; j-- > 0;) {
      if (!Covers(series[j]->second.labels, series[i]->second.labels)) continue;
      parents[i] = j;
      break;
    }
  }
  return parents;
}

Impact ImpactTally::Total() const {
  std::vector<const Entry*> series;
  series.reserve(series_.size());
  for (const Entry& entry : series_) series.push_back(&entry);
  std::stable_sort(series.begin(), series.end(), [](const Entry* a, const Entry* b) {
    return a->second.labels.size() < b->second.labels.size();
  });
  const std::vector<std::size_t> parents = Parents(series);

  Counts total;
  std::vector<Counts> below(series.size());
  for (std::size_t i = series.size(); i-- > 0;) {
    below[i].Raise(series[i]->second.counts);
    (parents[i] == kNoParent ? total : below[parents[i]]).Add(below[i]);
  }

  Impact impact;
  if (!capped_) impact.users_affected = Rounded(users_.Estimate());
  impact.failed = total.other + total.transactions;
  impact.failed_transactions = total.transactions;
  if (total.amount > 0) impact.revenue = total.amount;
  return impact;
}

std::int64_t ImpactTally::UsersDown() const { return Rounded(users_down_.Estimate()); }

void ImpactTally::Encode(ByteWriter* out) const {
  out->Varint(series_.size());
  for (const auto& [key, series] : series_) {
    out->Bytes(key);
    out->Varint(series.labels.size());
    for (const auto& [name, value] : series.labels) {
      out->Bytes(name);
      out->Bytes(value);
    }
    out->Signed(series.counts.other);
    out->Signed(series.counts.transactions);
    out->Double(series.counts.amount);
  }
  users_.Encode(out);
  users_down_.Encode(out);
  out->Bool(capped_);
}

ImpactTally ImpactTally::Decode(ByteReader* in) {
  ImpactTally tally;
  const std::size_t size = in->Count(12);
  for (std::size_t i = 0; i < size; ++i) {
    std::string key(in->Bytes());
    Series series;
    series.labels.resize(in->Count(2));
    for (auto& [name, value] : series.labels) {
      name = in->Bytes();
      value = in->Bytes();
    }
    series.counts.other = in->Signed();
    series.counts.transactions = in->Signed();
    series.counts.amount = in->Double();
    tally.series_.emplace(std::move(key), std::move(series));
  }
  tally.users_ = HyperLogLog::Decode(in);
  tally.users_down_ = HyperLogLog::Decode(in);
  tally.capped_ = in->Bool();
  return in->ok() ? tally : ImpactTally{};
}

}  // namespace tocsin
