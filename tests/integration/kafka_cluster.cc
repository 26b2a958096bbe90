#include "tests/integration/kafka_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace tocsin {
namespace {

constexpr int kStartSeconds = 90;
constexpr int kRequestMs = 15'000;

std::vector<std::string> JavaCommand(const std::string& libs) {
  return {"java",
          "-Xms128m",
          "-Xmx384m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
          "-cp",
          libs + "/*"};
}

void WriteProperties(const std::string& path, const std::string& directory, int port,
                     int controller_port) {
  const std::string broker = "127.0.0.1:" + std::to_string(port);
  const std::string controller = "127.0.0.1:" + std::to_string(controller_port);
  std::ofstream out(path);
  out << "process.roles=broker,controller\nnode.id=1\n"
      << "controller.quorum.voters=1@" << controller << "\n"
      << "listeners=PLAINTEXT://" << broker << ",CONTROLLER://" << controller << "\n"
      << "advertised.listeners=PLAINTEXT://" << broker << "\n"
      << "controller.listener.names=CONTROLLER\n"
      << "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
      << "inter.broker.listener.name=PLAINTEXT\n"
      << "log.dirs=" << directory << "/logs\n"
      << "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n"
      << "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
      << "share.coordinator.state.topic.replication.factor=1\n"
      << "share.coordinator.state.topic.min.isr=1\n"
      << "group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\n";
}

rd_kafka_t* NewClient(const std::string& brokers, rd_kafka_type_t type,
                      const std::string& transactional_id = "") {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), error.data(), error.size());
  rd_kafka_conf_set(conf, "log_level", "0", error.data(), error.size());
  if (type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set(conf, "linger.ms", "5", error.data(), error.size());
    rd_kafka_conf_set(conf, "compression.type", "lz4", error.data(), error.size());
    rd_kafka_conf_set(conf, "enable.idempotence", "true", error.data(), error.size());
  }
  if (!transactional_id.empty()) {
    rd_kafka_conf_set(conf, "transactional.id", transactional_id.c_str(), error.data(),
                      error.size());
  }
  return rd_kafka_new(type, conf, error.data(), error.size());
}

bool Succeeded(rd_kafka_error_t* error) {
  const bool succeeded = error == nullptr;
  rd_kafka_error_destroy(error);
  return succeeded;
}

}  // namespace

Process::~Process() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  Reap(0);
}

bool Process::Start(const std::vector<std::string>& arguments, const std::string& log_path) {
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    const int none = open("/dev/null", O_RDONLY);
    dup2(none, STDIN_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(log);
  reaped_ = pid_ < 0;
  return pid_ > 0;
}

void Process::Signal(int signal) const {
  if (!reaped_) kill(pid_, signal);
}

bool Process::Reap(int options) {
  int status = 0;
  if (waitpid(pid_, &status, options) != pid_) return false;
  reaped_ = true;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int Process::Wait(int seconds) {
  WaitFor(seconds, [this] { return reaped_ || Reap(WNOHANG); });
  return reaped_ ? code_ : -1;
}

bool Process::running() { return !reaped_ && !Reap(WNOHANG); }

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

KafkaCluster::~KafkaCluster() {
  process_.Signal(SIGTERM);
  process_.Wait(20);
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

bool KafkaCluster::Start() {
  const char* libs = std::getenv("TOCSIN_KAFKA_LIBS");
  if (libs == nullptr) {
    std::fprintf(stderr, "TOCSIN_KAFKA_LIBS is not set: ./dev test sets it\n");
    return false;
  }
  std::string pattern = testing::TempDir() + "tocsin-kafka-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return false;
  directory_ = pattern;
  const std::string properties = directory_ + "/server.properties";
  const std::string log = directory_ + "/kafka.log";
  const int port = FreePort();
  WriteProperties(properties, directory_, port, FreePort());
  std::vector<std::string> format = JavaCommand(std::filesystem::absolute(libs).string());
  std::vector<std::string> server = format;
  format.insert(format.end(), {"kafka.tools.StorageTool", "format", "--ignore-formatted", "-t",
                               "MkU3OEVBNTcwNTJENDM2Qk", "-c", properties});
  server.insert(server.end(), {"kafka.Kafka", properties});
  server_ = std::move(server);
  Process formatter;
  if (!formatter.Start(format, log) || formatter.Wait(60) != 0 || !process_.Start(server_, log)) {
    std::fprintf(stderr, "Kafka could not be started; see %s\n", log.c_str());
    return false;
  }
  brokers_ = "127.0.0.1:" + std::to_string(port);
  return WaitUntilUp();
}

void KafkaCluster::Kill() {
  process_.Signal(SIGKILL);
  process_.Wait(20);
}

bool KafkaCluster::Restart() {
  return process_.Start(server_, directory_ + "/kafka.log") && WaitUntilUp();
}

bool KafkaCluster::WaitUntilUp() {
  rd_kafka_t* client = NewClient(brokers_, RD_KAFKA_PRODUCER);
  const bool up = WaitFor(kStartSeconds, [&] {
    const rd_kafka_metadata_t* metadata = nullptr;
    const bool answered =
        rd_kafka_metadata(client, 0, nullptr, &metadata, 500) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (answered) rd_kafka_metadata_destroy(metadata);
    return answered;
  });
  rd_kafka_destroy(client);
  return up;
}

namespace {

// Whether the broker says that all partitions of the topic have a leader.
bool KnowsTopic(rd_kafka_t* client, const std::string& topic, int partitions) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client, /*all_topics=*/1, nullptr, &metadata, kRequestMs) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  int led = 0;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& known = metadata->topics[i];
    if (topic != known.topic) continue;
    for (int p = 0; p < known.partition_cnt; ++p) led += known.partitions[p].leader >= 0 ? 1 : 0;
  }
  rd_kafka_metadata_destroy(metadata);
  return led == partitions;
}

}  // namespace

bool KafkaCluster::CreateTopic(const std::string& topic, int partitions,
                               const std::map<std::string, std::string>& settings) {
  rd_kafka_t* client = NewClient(brokers_, RD_KAFKA_PRODUCER);
  std::array<char, 512> error{};
  rd_kafka_NewTopic_t* created =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, error.data(), error.size());
  for (const auto& [name, value] : settings) {
    rd_kafka_NewTopic_set_config(created, name.c_str(), value.c_str());
  }
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_CreateTopics(client, &created, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kRequestMs);
  bool done = false;
  if (const rd_kafka_CreateTopics_result_t* result =
          event == nullptr ? nullptr : rd_kafka_event_CreateTopics_result(event)) {
    std::size_t count = 0;
    const rd_kafka_topic_result_t** topics = rd_kafka_CreateTopics_result_topics(result, &count);
    done = count == 1 && rd_kafka_topic_result_error(topics[0]) == RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy(created);
  // The controller has it; whoever asks the broker next shall find it, too.
  done = done && WaitFor(30, [&] { return KnowsTopic(client, topic, partitions); });
  rd_kafka_destroy(client);
  return done;
}

bool KafkaCluster::DeleteTopic(const std::string& topic) {
  rd_kafka_t* client = NewClient(brokers_, RD_KAFKA_PRODUCER);
  rd_kafka_DeleteTopic_t* deleted = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_DeleteTopics(client, &deleted, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kRequestMs);
  bool done = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_DeleteTopic_destroy(deleted);
  done = done && WaitFor(30, [&] { return KnowsTopic(client, topic, 0); });
  rd_kafka_destroy(client);
  return done;
}

bool KafkaCluster::AddPartitions(const std::string& topic, int partitions_total) {
  rd_kafka_t* client = NewClient(brokers_, RD_KAFKA_PRODUCER);
  std::array<char, 512> error{};
  rd_kafka_NewPartitions_t* added = rd_kafka_NewPartitions_new(
      topic.c_str(), static_cast<std::size_t>(partitions_total), error.data(), error.size());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_CreatePartitions(client, &added, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kRequestMs);
  bool done = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewPartitions_destroy(added);
  done = done && WaitFor(30, [&] { return KnowsTopic(client, topic, partitions_total); });
  rd_kafka_destroy(client);
  return done;
}

std::int64_t KafkaCluster::Records(const std::string& topic, int partitions) {
  rd_kafka_t* client = NewClient(brokers_, RD_KAFKA_PRODUCER);
  std::int64_t records = 0;
  for (int partition = 0; partition < partitions; ++partition) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    rd_kafka_query_watermark_offsets(client, topic.c_str(), partition, &low, &high, kRequestMs);
    records += high;
  }
  rd_kafka_destroy(client);
  return records;
}

KafkaProducer::KafkaProducer(const std::string& brokers)
    : producer_(NewClient(brokers, RD_KAFKA_PRODUCER)) {}

KafkaProducer::KafkaProducer(const std::string& brokers, const std::string& transactional_id)
    : producer_(NewClient(brokers, RD_KAFKA_PRODUCER, transactional_id)) {
  if (!Succeeded(rd_kafka_init_transactions(producer_, kRequestMs)) ||
      !Succeeded(rd_kafka_begin_transaction(producer_))) {
    std::fprintf(stderr, "kafka: no transaction of %s\n", transactional_id.c_str());
  }
}

KafkaProducer::~KafkaProducer() { rd_kafka_destroy(producer_); }

void KafkaProducer::Send(const std::string& topic, int partition, const std::string& value,
                         std::int64_t timestamp_ms) {
  const auto send = [&] {
    return rd_kafka_producev(
        producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()), RD_KAFKA_V_END);
  };
  while (send() == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(producer_, 20);
  rd_kafka_poll(producer_, 0);
}

bool KafkaProducer::CommitTransaction() {
  return Succeeded(rd_kafka_commit_transaction(producer_, kRequestMs));
}

bool KafkaProducer::Flush() {
  return rd_kafka_flush(producer_, kRequestMs) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace tocsin
