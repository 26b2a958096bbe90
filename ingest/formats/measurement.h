// A measurement of Telegraf or InfluxDB: a name, tags, and fields, each of which becomes a metric.
//
//   Measurement measurement(&reader);
//   measurement.Begin("cpu", time);
//   measurement.AddTag("host", "web-1");
//   measurement.AddField("usage_user", 12.5);
//   measurement.Deliver();                         // one event per field: name=cpu_usage_user
//
// Metrics are named as in Telegraf's Prometheus output: measurement and field joined by an
// underscore, or only the measurement if the field is called "value". Tags become labels; a tag
// that is named like an event field also fills that field. The first fault makes the whole
// measurement undecodable. Views must live until Deliver. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {

class Measurement {
 public:
  explicit Measurement(PayloadReader* reader) : reader_(*reader) {}

  void Begin(std::string_view name, TimeUs time);
  void SetTime(TimeUs time) { time_ = time; }
  void AddTag(std::string_view name, std::string_view value) { tags_.emplace_back(name, value); }
  // REQUIRES: value is finite. One beyond limits::kNumberMagnitudeMax is a fault.
  void AddField(std::string_view name, double value) { fields_.emplace_back(name, value); }
  void Deliver();

 private:
  PayloadReader& reader_;
  std::string_view name_;
  TimeUs time_ = kNoTime;
  std::vector<std::pair<std::string_view, std::string_view>> tags_;
  std::vector<std::pair<std::string_view, double>> fields_;
  std::string joined_;
};

}  // namespace tocsin
