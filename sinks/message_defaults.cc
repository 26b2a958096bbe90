#include "sinks/message_defaults.h"

#include <cstddef>

namespace tocsin {
namespace {

// Read on a phone at 3 a.m., so the most important comes first: what, how severe, since when, who
// is affected, why, what to do; then the rest.
constexpr const char* kDeclared = R"({{severity}} {{number}}: {{title}}
Since {{onset}}{{#time_to_detect}}, detected {{time_to_detect}} later{{/time_to_detect}}. Where: {{where}}.
Users: {{users}}.{{#failed}} Failed: {{failed}}.{{/failed}}
{{#classification}}
Looks like: {{classification}}.
{{/classification}}
{{#suspects}}
Suspect: {{text}}
{{/suspects}}
{{#together}}
Joined: {{text}}
{{/together}}
{{#beside}}
Beside {{beside}}, open already: this began long after that last got worse.
{{/beside}}
{{#signals}}
Evidence: {{detector}} {{series}}: {{value}} (threshold {{threshold}})
{{/signals}}
{{#advice}}
{{index}}. {{text}}
{{/advice}}
{{#runbook}}
Runbook: {{runbook}}
{{/runbook}}
Respond {{respond}}.{{#next_update}} Next update by {{next_update}}.{{/next_update}}{{#escalate_to}} Called: {{escalate_to}}.{{/escalate_to}}
{{#muted_by}}
Muted by {{muted_by}}: nobody is paged.
{{/muted_by}}
)";

constexpr const char* kUpdate = R"({{severity}} {{number}}, {{state}}: {{title}}
Since {{onset}}. Where: {{where}}.
Users so far: {{users}}.{{#failed}} Failed so far: {{failed}}.{{/failed}}
{{#acknowledged_by}}
{{acknowledged_by}} is on it.
{{/acknowledged_by}}
{{^acknowledged_by}}
Nobody has acknowledged it yet.
{{/acknowledged_by}}
{{#signals}}
Evidence: {{detector}} {{series}}: {{value}} (threshold {{threshold}}){{#cleared_at}}, cleared{{/cleared_at}}
{{/signals}}
{{#timeline}}
{{at}} {{author}}: {{what}}{{#text}}, {{text}}{{/text}}
{{/timeline}}
{{#next_update}}
Next update by {{next_update}}.
{{/next_update}}
)";

constexpr const char* kIdentified =
    R"({{severity}} {{number}}, {{state}}, cause suspected: {{title}}
{{#suspects}}
Suspect: {{text}}
{{/suspects}}
{{#first_step}}
First: {{first_step}}
{{/first_step}}
Since {{onset}}. Where: {{where}}.
Users so far: {{users}}.{{#failed}} Failed so far: {{failed}}.{{/failed}}
{{#acknowledged_by}}
{{acknowledged_by}} is on it.
{{/acknowledged_by}}
{{^acknowledged_by}}
Nobody has acknowledged it yet.
{{/acknowledged_by}}
{{#timeline}}
{{at}} {{author}}: {{what}}{{#text}}, {{text}}{{/text}}
{{/timeline}}
{{#next_update}}
Next update by {{next_update}}.
{{/next_update}}
)";

constexpr const char* kMonitoring = R"({{severity}} {{number}}, recovering: {{title}}
Nothing fires any more; it is resolved once that has lasted.
Since {{onset}}. Where: {{where}}.
Users: {{users}}.{{#failed}} Failed: {{failed}}.{{/failed}}
{{#suspect}}
Suspect: {{suspect}}
{{/suspect}}
)";

constexpr const char* kResolved =
    R"({{severity}} {{number}}, resolved{{#duration}} after {{duration}}{{/duration}}: {{title}}
From {{onset}} to {{resolved_at}}. Where: {{where}}.
Users: {{users}}.{{#failed}} Failed: {{failed}}.{{/failed}}
{{#time_to_detect}}
Detected after {{time_to_detect}}{{#time_to_acknowledge}}, acknowledged {{time_to_acknowledge}} later by {{acknowledged_by}}{{/time_to_acknowledge}}.
{{/time_to_detect}}
{{#suspect}}
Suspect: {{suspect}}
{{/suspect}}
{{#merged_into}}
It had the cause of {{merged_into}} and goes on there.
{{/merged_into}}
{{#partial}}
Counted in part: a limit was reached, or a source was away.
{{/partial}}
Draft of the post-mortem: tocsin postmortem {{number}}
)";

constexpr const char* kPublicDeclared = R"(Investigating {{public_symptom}} in {{public_component}}
{{public_users}} of {{public_component}} may see {{public_symptom}} since {{public_onset}}. We are looking into the cause.
{{#public_next_update}}
We will say more by {{public_next_update}}.
{{/public_next_update}}
)";

constexpr const char* kPublicUpdate =
    R"(Still investigating {{public_symptom}} in {{public_component}}
{{public_users}} of {{public_component}} may still see {{public_symptom}}. We are working on it.
{{#public_next_update}}
We will say more by {{public_next_update}}.
{{/public_next_update}}
)";

constexpr const char* kPublicIdentified =
    R"(Cause suspected: {{public_symptom}} in {{public_component}}
We think that we know why {{public_component}} has had {{public_symptom}} since {{public_onset}}, and are working on it.
{{#public_next_update}}
We will say more by {{public_next_update}}.
{{/public_next_update}}
)";

constexpr const char* kPublicMonitoring = R"(Recovering: {{public_symptom}} in {{public_component}}
It works again. We are watching {{public_component}} before we call this resolved.
)";

constexpr const char* kPublicResolved = R"(Resolved: {{public_symptom}} in {{public_component}}
From {{public_onset}} to {{public_resolved_at}} {{public_component}} had {{public_symptom}}. This is over. We are sorry for the trouble.
)";

// In the order of MessageStage.
constexpr const char* kInternal[] = {kDeclared, kUpdate, kIdentified, kMonitoring, kResolved};
constexpr const char* kPublic[] = {kPublicDeclared, kPublicUpdate, kPublicIdentified,
                                   kPublicMonitoring, kPublicResolved};

}  // namespace

const char* DefaultTemplate(MessageAudience audience, MessageStage stage) {
  const auto index = static_cast<std::size_t>(stage);
  return audience == MessageAudience::kPublic ? kPublic[index] : kInternal[index];
}

}  // namespace tocsin
