#include "cli/check_connect.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::HasSubstr;

InputConfig FilesOf(const std::string& path) {
  InputConfig input;
  input.name = "logs";
  input.file = FileInputConfig{.path = path};
  return input;
}

TEST(CheckConnect, NamesTheBrokersThatDoNotAnswer) {
  Config config;
  InputConfig input;
  input.name = "web";
  input.kafka = KafkaInputConfig();
  input.kafka->brokers = "127.0.0.1:1";
  input.kafka->topics = {"requests"};
  config.inputs = {input};
  const ConnectResult result = CheckConnections(config, absl::Milliseconds(200));
  EXPECT_FALSE(result.all_there);
  EXPECT_THAT(result.text, HasSubstr("input web: "));
  EXPECT_THAT(result.text, HasSubstr("127.0.0.1:1"));
}

TEST(CheckConnect, SaysWhichFilesAreThere) {
  const std::string folder = testing::TempDir() + "check_connect";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  Config config;
  config.inputs = {FilesOf(folder + "/*.log")};
  ConnectResult result = CheckConnections(config);
  EXPECT_FALSE(result.all_there);
  EXPECT_THAT(result.text, HasSubstr("nothing is there yet"));
  std::ofstream(folder + "/a.log") << "x\n";
  std::ofstream(folder + "/b.log") << "y\n";
  result = CheckConnections(config);
  EXPECT_TRUE(result.all_there);
  EXPECT_EQ(result.text, "input logs: 2 files at " + folder + "/*.log\n");
}

}  // namespace
}  // namespace tocsin
