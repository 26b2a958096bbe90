#include "ingest/formats/aws_dimensions.h"

namespace tocsin {
namespace {

struct Dimension {
  std::string_view name;
  Field field;
};

// From AWS/RDS, ElastiCache, DynamoDB, SQS, Kinesis, EC2, ECS, Lambda, ApiGateway, ApplicationELB.
constexpr Dimension kDimensions[] = {
    {"DBInstanceIdentifier", Field::kDependency},
    {"DBClusterIdentifier", Field::kDependency},
    {"CacheClusterId", Field::kDependency},
    {"ReplicationGroupId", Field::kDependency},
    {"TableName", Field::kDependency},
    {"QueueName", Field::kDependency},
    {"StreamName", Field::kDependency},
    {"InstanceId", Field::kHost},
    {"ServiceName", Field::kService},
    {"FunctionName", Field::kService},
    {"ApiName", Field::kService},
    {"TargetGroup", Field::kService},
};

// In metrics, a target group is named "targetgroup/NAME/0123456789abcdef".
std::string_view NameOf(std::string_view value) {
  constexpr std::string_view kTargetGroup = "targetgroup/";
  if (!value.starts_with(kTargetGroup)) return value;
  value.remove_prefix(kTargetGroup.size());
  return value.substr(0, value.find('/'));
}

}  // namespace

void TakeDimension(std::string_view name, std::string_view value, PayloadReader* reader) {
  reader->TakeLabel(name, value);
  for (const Dimension& known : kDimensions) {
    if (known.name != name || !reader->event().Get(known.field).empty()) continue;
    reader->Set(known.field, NameOf(value));
  }
}

}  // namespace tocsin
