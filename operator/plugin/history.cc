#include "operator/plugin/history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "operator/api/revision.h"
#include "operator/plugin/table.h"

namespace scalableapp::plugin {
namespace {

using nlohmann::json;

Result<const RevisionView*> find_number(const std::vector<RevisionView>& revisions, std::int64_t number) {
  const auto found = std::ranges::find(revisions, std::optional(number), &RevisionView::number);
  if (found != revisions.end()) return &*found;
  std::vector<std::int64_t> numbers;
  for (const RevisionView& revision : revisions) {
    if (revision.number()) numbers.push_back(*revision.number());
  }
  const std::string known = numbers.empty() ? "none" : fmt::format("{}", fmt::join(numbers, ", "));
  return fail(ErrorCode::kNotFound, fmt::format("there is no revision {}; there are: {}", number, known));
}

std::string name_of(const RevisionView& revision) { return revision_text({revision}, revision.revision); }

// Where undo goes unless it is told.
Result<const RevisionView*> find_previous(const api::ScalableApp& app, const std::vector<RevisionView>& revisions) {
  const std::string& present = app.status.updated_revision;
  const std::string& stable = app.status.current_revision;
  const auto is_it = [&](const RevisionView& revision) {
    return !stable.empty() && stable != present ? revision.revision == stable : revision.revision != present;
  };
  const auto found = std::ranges::find_if(revisions, is_it);
  if (found != revisions.end()) return &*found;
  return fail(ErrorCode::kNotFound, fmt::format("no earlier revision of {} is left", app.metadata.name));
}

// The template as the app had it, to the byte that its revision's name is made of.
Result<json> template_of(const RevisionView& revision) {
  const auto refused = [&](const char* why) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{} cannot be given back exactly: {}; apply its manifest instead", name_of(revision), why));
  };
  if (revision.template_json.empty()) {
    return refused("its ReplicaSet has no annotation scalableapp.io/template, an older operator made it");
  }
  json pod_template = json::parse(revision.template_json, nullptr, false);
  if (!pod_template.is_object() || api::template_hash(pod_template.dump()) != revision.replica_set.template_hash) {
    return refused("its ReplicaSet's annotation scalableapp.io/template has been changed");
  }
  return pod_template;
}

}  // namespace

std::string history_table(const api::ScalableApp& app, const std::vector<RevisionView>& revisions) {
  Table table{.headings = {"REVISION", "NAME", "REPLICAS", "CREATED", "STATE", "CHANGE-CAUSE"},
              .is_number = {true, false, true, false, false, false}};
  for (const RevisionView& revision : revisions | std::views::reverse) {
    const std::string role = role_of(app, revision.revision);
    table.rows.push_back({revision.number() ? fmt::format("{}", *revision.number()) : "-", revision.replica_set.metadata.name,
                          fmt::format("{}", revision.replica_set.spec_replicas),
                          format_rfc3339(revision.replica_set.metadata.creation_time), role.empty() ? "-" : role,
                          revision.change_cause.empty() ? "<none>" : revision.change_cause});
  }
  if (table.rows.empty()) return fmt::format("No revisions of {} yet.\n", app.metadata.name);
  return render(table);
}

Result<std::string> history_template(const std::vector<RevisionView>& revisions, std::int64_t number) {
  const auto revision = find_number(revisions, number);
  if (!revision) return tl::unexpected(revision.error());
  const auto pod_template = template_of(**revision);
  if (!pod_template) return tl::unexpected(pod_template.error());
  return pod_template->dump(2) + "\n";
}

Result<Edit> undo(const api::ScalableApp& app, const std::vector<RevisionView>& revisions,
                  std::optional<std::int64_t> number) {
  const auto revision = number ? find_number(revisions, *number) : find_previous(app, revisions);
  if (!revision) return tl::unexpected(revision.error());
  auto pod_template = template_of(**revision);
  if (!pod_template) return tl::unexpected(pod_template.error());
  if (pod_template->dump() == app.spec.template_json) {
    return Edit{.done = fmt::format("skipped rollback (current template already matches {})", name_of(**revision))};
  }
  // A merge would keep what only the present template has. The resourceVersion is the lock, as in a merge patch.
  const json operations{
      {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", app.metadata.resource_version}},
      {{"op", "replace"}, {"path", "/spec/template"}, {"value", std::move(*pod_template)}}};
  Edit edit{.patch = operations.dump(),
            .kind = kube::PatchKind::kJson,
            .done = fmt::format("rolled back to {}", name_of(**revision))};
  if (app.spec.rollout.paused) {
    edit.notes.push_back(fmt::format("its rollout is paused (spec.rollout.paused): nothing moves until resume {}",
                                     app.metadata.name));
  }
  return edit;
}

}  // namespace scalableapp::plugin
