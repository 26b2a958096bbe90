#include "api/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sinks/text.h"

namespace tocsin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// A path may be long, and no UTF-8.
constexpr std::size_t kLabelBytesMax = 1024;

// Collects families in the order in which they are served.
class Families {
 public:
  void Counter(const char* name, const char* help, std::int64_t value) {
    Add(name, help, MetricType::Counter, {Sample(MetricType::Counter, static_cast<double>(value))});
  }

  void Gauge(const char* name, const char* help, double value) {
    Add(name, help, MetricType::Gauge, {Sample(MetricType::Gauge, value)});
  }

  // `value_of` gives the number of one source. Without sources nothing is added.
  template <typename ValueOf>
  void SourceCounter(const char* name, const char* help, const std::vector<SourceStatus>& sources,
                     ValueOf value_of) {
    std::vector<ClientMetric> metrics;
    for (const SourceStatus& source : sources) {
      const auto value = static_cast<double>(value_of(source.counters));
      metrics.push_back(WithSource(source, Sample(MetricType::Counter, value)));
    }
    Add(name, help, MetricType::Counter, std::move(metrics));
  }

  void Add(const char* name, const char* help, MetricType type, std::vector<ClientMetric> metrics) {
    if (metrics.empty()) return;
    families_.push_back({.name = name, .help = help, .type = type, .metric = std::move(metrics)});
  }

  static ClientMetric Sample(MetricType type, double value) {
    ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    return metric;
  }

  static ClientMetric WithSource(const SourceStatus& source, ClientMetric metric) {
    metric.label = {{"input", OneLine(source.input, kLabelBytesMax)},
                    {"source", OneLine(source.source, kLabelBytesMax)}};
    return metric;
  }

  const std::vector<MetricFamily>& all() const { return families_; }

 private:
  std::vector<MetricFamily> families_;
};

double Seconds(std::int64_t us) { return static_cast<double>(us) / static_cast<double>(kSecondUs); }

void AddSources(const std::vector<SourceStatus>& sources, Families* families) {
  families->SourceCounter("tocsin_records_total", "Records read from a source partition.", sources,
                          [](const SourceCounters& c) { return c.records; });
  families->SourceCounter("tocsin_bytes_total", "Bytes of the records that were read.", sources,
                          [](const SourceCounters& c) { return c.bytes; });
  families->SourceCounter("tocsin_events_total", "Events decoded from the records.", sources,
                          [](const SourceCounters& c) { return c.events; });
  families->SourceCounter("tocsin_late_events_total",
                          "Events that came after their pane was closed; they count nowhere.",
                          sources, [](const SourceCounters& c) { return c.late; });
  families->SourceCounter("tocsin_quarantined_events_total",
                          "Events set aside because their time cannot be right.", sources,
                          [](const SourceCounters& c) { return c.quarantined; });
  families->SourceCounter("tocsin_undecodable_total",
                          "Records, lines or array elements that are no event.", sources,
                          [](const SourceCounters& c) { return c.undecodable; });
  families->SourceCounter("tocsin_capped_total",
                          "Events counted in (other), and facts dropped, because of a limit.",
                          sources, [](const SourceCounters& c) { return c.capped; });
  std::vector<ClientMetric> clocks;
  std::vector<ClientMetric> paused;
  for (const SourceStatus& source : sources) {
    if (source.clock != kNoTime) {
      clocks.push_back(
          Families::WithSource(source, Families::Sample(MetricType::Gauge, Seconds(source.clock))));
    }
    paused.push_back(
        Families::WithSource(source, Families::Sample(MetricType::Gauge, source.paused ? 1 : 0)));
  }
  families->Add("tocsin_source_clock_seconds",
                "The clock of a source partition, in Unix time; absent before its first record.",
                MetricType::Gauge, std::move(clocks));
  families->Add("tocsin_source_paused",
                "1 while a source partition waits because it is too far ahead of the others.",
                MetricType::Gauge, std::move(paused));
}

void AddInputs(const std::vector<InputStatus>& inputs, Families* families) {
  std::vector<ClientMetric> up, failures;
  for (const InputStatus& input : inputs) {
    up.push_back(Families::Sample(MetricType::Gauge, input.IsUp() ? 1 : 0));
    failures.push_back(Families::Sample(MetricType::Counter, static_cast<double>(input.failures)));
    up.back().label = failures.back().label = {{"input", OneLine(input.name, kLabelBytesMax)}};
  }
  families->Add("tocsin_input_up", "1 while an input can be read.", MetricType::Gauge,
                std::move(up));
  families->Add("tocsin_input_failures_total", "How often an input failed and was made anew.",
                MetricType::Counter, std::move(failures));
}

void AddBlindness(const PipelineStatus& status, Families* families) {
  families->Gauge("tocsin_blind", "1 while tocsin cannot see or decide what it was set up for.",
                  status.blind.blind ? 1 : 0);
  families->Counter("tocsin_blind_total", "How often tocsin has been blind.", status.blind.episode);
  families->Counter("tocsin_heartbeats_total", "Heartbeats that were answered with success.",
                    status.heartbeats);
  families->Gauge("tocsin_excluded_sources", "Source partitions that decisions go on without.",
                  static_cast<double>(status.excluded.size()));
  families->Counter("tocsin_gaps_total", "Batches that were missing in the batch log.",
                    status.gaps);
  families->Counter("tocsin_unreadable_batches_total",
                    "Records of the batch log that could not be read and were left out.",
                    status.unreadable_batches);
  families->Gauge("tocsin_batch_log_bytes", "Bytes that wait to be written or decided.",
                  static_cast<double>(status.log.disk.bytes));
  families->Gauge("tocsin_state_writable", "0 while the state directory cannot be written.",
                  status.log.disk.failing_since == kNoTime ? 1 : 0);
  families->Counter("tocsin_clock_steps_total",
                    "Steps of the host's clock that lasted and were followed.", status.clock_steps);
  families->Gauge("tocsin_clock_deviation_seconds",
                  "How far the host's clock is from the time that tocsin uses.",
                  Seconds(status.clock_deviation));
}

void AddConnections(const PipelineStatus& status, Families* families) {
  struct Figure {
    const char* name;
    const char* help;
    std::int64_t ConnectionTable::Counters::*value;
  };
  constexpr Figure kFigures[] = {
      {"tocsin_http_connections_refused_total", "Connections for which there was no room.",
       &ConnectionTable::Counters::refused},
      {"tocsin_http_connections_closed_total", "Connections that had to make room for others.",
       &ConnectionTable::Counters::closed},
      {"tocsin_http_bodies_cut_total", "Unfinished bodies that were too slow or too many.",
       &ConnectionTable::Counters::bodies_cut}};
  for (const Figure& figure : kFigures) {
    std::vector<ClientMetric> metrics;
    for (const auto& [server, counters] : status.connections) {
      metrics.push_back(
          Families::Sample(MetricType::Counter, static_cast<double>(counters.*figure.value)));
      metrics.back().label = {{"server", server}};
    }
    families->Add(figure.name, figure.help, MetricType::Counter, std::move(metrics));
  }
}

void AddDecisions(const PipelineStatus& status, Families* families) {
  families->Counter("tocsin_ticks_total", "Ticks decided.", status.decided.ticks);
  families->Counter("tocsin_partial_ticks_total", "Ticks decided without all of their sources.",
                    status.decided.partial_ticks);
  families->Gauge("tocsin_series", "Series that detectors keep.",
                  static_cast<double>(status.series));
  families->Counter("tocsin_series_over_limit_total",
                    "Series evicted or refused because of the limit.", status.series_over_limit);
  families->Counter("tocsin_signals_total", "Signals that fired.", status.decided.signals_fired);
  families->Counter("tocsin_incidents_total", "Incidents opened.", status.decided.incidents_opened);
  families->Gauge("tocsin_open_incidents", "Incidents that are not resolved.",
                  static_cast<double>(status.open_incidents));
  families->Counter("tocsin_pages_total",
                    "Pages that were decided; those folded into one count as one.",
                    status.decided.pages);
  if (status.last_tick != kNoTime) {
    families->Gauge("tocsin_last_tick_seconds",
                    "The last tick that was decided, in Unix time; absent before the first.",
                    Seconds(status.last_tick));
  }
}

void AddDeliveries(const PipelineStatus& status, Families* families) {
  const Outbox::Counters& deliveries = status.deliveries;
  families->Counter("tocsin_deliveries_submitted_total",
                    "Messages meant for one sink, written to the journal.", deliveries.submitted);
  families->Counter("tocsin_deliveries_delivered_total", "Messages that their sink took.",
                    deliveries.delivered);
  families->Counter("tocsin_deliveries_retried_total", "Attempts that failed and are tried again.",
                    deliveries.retried);
  families->Counter("tocsin_deliveries_parked_total", "Messages that their sink refused for good.",
                    deliveries.parked);
  families->Counter("tocsin_deliveries_withheld_total", "Messages that mode: shadow only recorded.",
                    deliveries.withheld);
  families->Counter("tocsin_deliveries_abandoned_total",
                    "Messages overtaken by the end of their incident before they were sent.",
                    deliveries.abandoned);
  families->Gauge("tocsin_deliveries_pending", "Messages that no sink has taken yet.",
                  static_cast<double>(status.deliveries_pending));
}

void AddPosted(const std::vector<Receiver::SourceCounters>& posted, Families* families) {
  if (posted.empty()) return;
  std::vector<ClientMetric> requests;
  std::vector<ClientMetric> bytes;
  for (const Receiver::SourceCounters& source : posted) {
    for (const bool accepted : {true, false}) {
      const std::int64_t count = accepted ? source.accepted : source.refused;
      ClientMetric metric = Families::Sample(MetricType::Counter, static_cast<double>(count));
      metric.label = {{"input", source.name}, {"outcome", accepted ? "accepted" : "refused"}};
      requests.push_back(std::move(metric));
    }
    bytes.push_back(Families::Sample(MetricType::Counter, static_cast<double>(source.bytes)));
    bytes.back().label = {{"input", source.name}};
  }
  families->Add("tocsin_posts_total", "Requests to inputs by HTTP; accepted ones are durable.",
                MetricType::Counter, std::move(requests));
  families->Add("tocsin_posted_bytes_total", "Bytes of the accepted requests, as they came.",
                MetricType::Counter, std::move(bytes));
}

void AddProcess(const PipelineStatus& status, Families* families) {
  families->Counter("tocsin_records_received_total",
                    "Records taken from all inputs, those included that are not read yet.",
                    status.received);
  families->Gauge("tocsin_queue_batches", "Batches between reading and deciding.",
                  static_cast<double>(status.queued_batches));
  const std::pair<const char*, const LifeTimes::Sum*> times[] = {
      {"tocsin_time_to_detect_seconds", &status.times.detect},
      {"tocsin_time_to_page_seconds", &status.times.page},
      {"tocsin_time_to_acknowledge_seconds", &status.times.acknowledge},
      {"tocsin_time_to_resolve_seconds", &status.times.resolve}};
  for (const auto& [name, sum] : times) {
    ClientMetric summary;
    summary.summary.sample_count = static_cast<std::uint64_t>(sum->count);
    summary.summary.sample_sum = Seconds(sum->total);
    families->Add(name, "How long incidents took, in event time.", MetricType::Summary,
                  {std::move(summary)});
  }
  families->Counter("tocsin_snapshots_total", "Snapshots taken.", status.snapshots);
  AddConnections(status, families);
  families->Counter("tocsin_output_lines_left_out_total",
                    "Lines of --incidents and --signals that whoever reads them was too slow for.",
                    status.lines_left_out);
  families->Gauge("tocsin_journal_batch_bytes", "Panes that are kept, to restart or learn from.",
                  static_cast<double>(status.journal.batch_bytes));
  families->Gauge("tocsin_journal_line_bytes", "Lines of incidents and signals that are kept.",
                  static_cast<double>(status.journal.line_bytes));
  families->Counter("tocsin_journal_lines_dropped_total",
                    "Lines of incidents and signals that were forgotten past the limit.",
                    status.journal.lines_dropped);
  families->Counter("tocsin_kafka_errors_total", "Errors that the Kafka client reported.",
                    status.kafka_errors);
  families->Counter("tocsin_skipped_records_total",
                    "Records that could not be fetched and were skipped.", status.skipped_records);
  families->Gauge("tocsin_lag_seconds",
                  "How far the slowest source is behind the others, or the end of its input.",
                  Seconds(status.lag));
  ClientMetric build = Families::Sample(MetricType::Gauge, 1);
  build.label = {{"version", TOCSIN_VERSION}};
  families->Add("tocsin_build_info", "The program's version; always 1.", MetricType::Gauge,
                {std::move(build)});
}

}  // namespace

std::string MetricsText(const PipelineStatus& status) {
  Families families;
  AddInputs(status.inputs, &families);
  AddSources(status.sources, &families);
  AddBlindness(status, &families);
  AddDecisions(status, &families);
  AddDeliveries(status, &families);
  AddPosted(status.posted, &families);
  AddProcess(status, &families);
  // Families are plain data here: only the library's registry throws.
  return prometheus::TextSerializer().Serialize(families.all());
}

}  // namespace tocsin
