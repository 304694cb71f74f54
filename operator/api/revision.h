// The name of a revision and the ReplicaSet that holds it. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "operator/api/scalable_app.h"

namespace scalableapp::api {

// Annotations of a ReplicaSet. The number is the app's metadata.generation when it was created, or last asked for
// again: later revisions have greater ones.
inline constexpr const char* kTemplateHashAnnotation = "scalableapp.io/template-hash";
inline constexpr const char* kRevisionNumberAnnotation = "scalableapp.io/revision-number";
// Of the app: what is added to the number of each of its revisions, so that those that it has taken over from a
// Deployment come before them.
inline constexpr const char* kRevisionsBeforeAnnotation = "scalableapp.io/revisions-before";
// spec.template as the app has it: the ReplicaSet's own has the API server's defaults in it, and cannot be given back.
inline constexpr const char* kTemplateAnnotation = "scalableapp.io/template";
// A longer one is left out: all of an object's annotations may have 256 KiB together.
inline constexpr std::size_t kLongestTemplateKept = 128U << 10U;
// The app's is copied to the ReplicaSet, as Deployment's is.
inline constexpr const char* kChangeCauseAnnotation = "kubernetes.io/change-cause";

// What a revision's name is made of: no vowels and no look-alikes, so that no word arises (as
// pod-template-hash).
inline constexpr std::string_view kRevisionAlphabet = "bcdfghjklmnpqrstvwxz2456789";
inline constexpr std::size_t kRevisionLength = 10;

// A name that tells templates apart. The same template and count always give the same one.
std::string revision_hash(std::string_view template_json, int collision_count);

// The name of the app's revision: of its template, and of the gate where it is off, since pods get
// their gates when they are made. (On is the default and adds nothing.)
std::string revision_of(const ScalableAppSpec& spec, int collision_count);

// 16 hex digits of the template alone. Where two templates share a revision's name, this still
// tells them apart (ReplicaSet::template_hash).
std::string template_hash(std::string_view template_json);

// What all of an app's ReplicaSets' names begin with, before "-<revision>": its own name, cut so
// that pods' names, which add "-" and five characters, stay legal and are never cut themselves.
std::string replica_set_prefix(std::string_view app_name);

// "<prefix>-<revision>".
std::string replica_set_name(const ScalableApp& app, std::string_view revision);

// The ReplicaSet to create for the app's present template, as JSON: the same bytes each time. Its pods' annotation
// kFailOpenAnnotation is spec.readiness's of that moment and belongs to no revision: a change of it replaces no pods.
std::string replica_set_body(const ScalableApp& app, std::string_view revision, int replicas);

}  // namespace scalableapp::api
