#include "workload/search/index.h"

#include <fmt/format.h>
#include <xapian.h>

#include <algorithm>
#include <mutex>

namespace scalableapp::workload {
namespace {

constexpr std::size_t kMaxQueryBytes = 200;
constexpr int kMaxHits = 50;
constexpr Xapian::valueno kRating = 0;
constexpr Xapian::valueno kId = 1;
constexpr Xapian::valueno kName = 2;
constexpr Xapian::valueno kCity = 3;
constexpr Xapian::termcount kNameWeight = 4;  // A word of the name counts as many of the dishes.

tl::unexpected<Error> failed(const Xapian::Error& error) {
  return fail(ErrorCode::kUnavailable, "search index: " + error.get_description());
}

std::string id_term(const std::string& id) { return "Q" + id; }
std::string city_term(std::string city) {
  std::transform(city.begin(), city.end(), city.begin(), [](unsigned char c) { return std::tolower(c); });
  return "XCITY" + city;
}

Xapian::Document to_document(const Restaurant& restaurant, Xapian::WritableDatabase& database) {
  Xapian::Document document;
  Xapian::TermGenerator generator;
  generator.set_stemmer(Xapian::Stem("en"));
  generator.set_database(database);
  generator.set_flags(Xapian::TermGenerator::FLAG_SPELLING);
  generator.set_document(document);
  generator.index_text(restaurant.name, kNameWeight);
  generator.index_text(restaurant.cuisine, kNameWeight);
  for (const auto& dish : restaurant.dishes) {
    generator.increase_termpos();
    generator.index_text(dish);
  }
  document.add_value(kRating, Xapian::sortable_serialise(restaurant.rating));
  document.add_value(kId, restaurant.id);
  document.add_value(kName, restaurant.name);
  document.add_value(kCity, restaurant.city);
  document.add_boolean_term(id_term(restaurant.id));
  document.add_boolean_term(city_term(restaurant.city));
  return document;
}

class XapianIndex final : public SearchIndex {
 public:
  explicit XapianIndex(const std::string& directory)
      : directory_(directory),
        // A process that dies makes its index anew, so nothing need reach the disk.
        writer_(directory, Xapian::DB_CREATE_OR_OVERWRITE | Xapian::DB_BACKEND_GLASS | Xapian::DB_NO_SYNC) {}

  Result<void> put(const std::vector<Restaurant>& restaurants) override {
    const std::lock_guard lock(writing_);
    try {
      for (const auto& restaurant : restaurants) {
        writer_.replace_document(id_term(restaurant.id), to_document(restaurant, writer_));
      }
      writer_.commit();
      return {};
    } catch (const Xapian::Error& error) {
      return failed(error);
    }
  }

  Result<SearchResult> search(const SearchQuery& query) override {
    if (query.text.empty() || query.text.size() > kMaxQueryBytes) {
      return fail(ErrorCode::kInvalid, fmt::format("q must have 1 to {} bytes", kMaxQueryBytes));
    }
    if (query.limit < 1 || query.limit > kMaxHits) {
      return fail(ErrorCode::kInvalid, fmt::format("limit must be from 1 to {}", kMaxHits));
    }
    try {
      auto reader = borrow();
      auto result = search_in(*reader, query);
      give_back(std::move(reader));
      return result;
    } catch (const Xapian::DatabaseModifiedError&) {
      // Two changes were committed during one search, which may happen to it once more, not for ever.
    } catch (const Xapian::Error& error) {
      return failed(error);
    }
    try {
      Xapian::Database latest(directory_);
      return search_in(latest, query);
    } catch (const Xapian::Error& error) {
      return failed(error);
    }
  }

 private:
  static SearchResult search_in(Xapian::Database& database, const SearchQuery& query) {
    Xapian::QueryParser parser;
    parser.set_database(database);
    parser.set_stemmer(Xapian::Stem("en"));
    parser.set_stemming_strategy(Xapian::QueryParser::STEM_SOME);
    SearchResult result;
    // Without flags of its own the text is words, whatever it looks like.
    const unsigned flags = query.forgives_typos ? unsigned{Xapian::QueryParser::FLAG_SPELLING_CORRECTION} : 0u;
    Xapian::Query parsed = parser.parse_query(query.text, flags);
    if (query.forgives_typos) {
      result.corrected = parser.get_corrected_query_string();
      if (!result.corrected.empty()) parsed = parser.parse_query(result.corrected, 0u);
    }
    if (!query.city.empty()) {
      parsed = Xapian::Query(Xapian::Query::OP_FILTER, parsed, Xapian::Query(city_term(query.city)));
    }
    Xapian::Enquire enquire(database);
    enquire.set_query(parsed);
    // A better rating may lift a hit past some that match better, from within this many.
    const int considered = query.ranks ? std::max(4 * query.limit, kMaxHits) : query.limit;
    const Xapian::MSet matches = enquire.get_mset(0, static_cast<Xapian::doccount>(considered));
    for (auto match = matches.begin(); match != matches.end(); ++match) {
      const Xapian::Document document = match.get_document();
      SearchHit hit{.id = document.get_value(kId),
                    .name = document.get_value(kName),
                    .city = document.get_value(kCity),
                    .rating = Xapian::sortable_unserialise(document.get_value(kRating)),
                    .score = match.get_percent() / 100.0};
      if (query.ranks) hit.score = 0.7 * hit.score + 0.3 * hit.rating / 5;
      result.hits.push_back(std::move(hit));
    }
    if (query.ranks) {
      std::stable_sort(result.hits.begin(), result.hits.end(),
                       [](const SearchHit& a, const SearchHit& b) { return a.score > b.score; });
    }
    if (result.hits.size() > static_cast<std::size_t>(query.limit)) {
      result.hits.resize(static_cast<std::size_t>(query.limit));
    }
    return result;
  }

  // A reader is of one search at a time; there are as many as have ever searched at once.
  std::unique_ptr<Xapian::Database> borrow() {
    std::unique_ptr<Xapian::Database> reader;
    {
      const std::lock_guard lock(reading_);
      if (!readers_.empty()) {
        reader = std::move(readers_.back());
        readers_.pop_back();
      }
    }
    if (reader == nullptr) return std::make_unique<Xapian::Database>(directory_);
    reader->reopen();
    return reader;
  }
  void give_back(std::unique_ptr<Xapian::Database> reader) {
    const std::lock_guard lock(reading_);
    readers_.push_back(std::move(reader));
  }

  const std::string directory_;
  std::mutex writing_;  // Guards the next.
  Xapian::WritableDatabase writer_;
  std::mutex reading_;  // Guards the next.
  std::vector<std::unique_ptr<Xapian::Database>> readers_;
};

}  // namespace

Result<std::unique_ptr<SearchIndex>> SearchIndex::create(const std::string& directory) {
  try {
    return std::make_unique<XapianIndex>(directory);
  } catch (const Xapian::Error& error) {
    return fail(ErrorCode::kUnavailable, fmt::format("--index-directory={}: {}", directory, error.get_description()));
  }
}

}  // namespace scalableapp::workload
