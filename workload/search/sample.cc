#include <fmt/format.h>

#include <array>

#include "workload/search/index.h"

namespace scalableapp::workload {
namespace {

constexpr std::array kFirst{"Golden", "Little",  "Royal",  "Spicy",   "Old",    "Blue",   "Happy",  "Green",
                            "Silver", "Village", "Garden", "Harbour", "Copper", "Saffron", "Coconut", "Midnight"};
constexpr std::array kSecond{"Dragon",  "Kitchen", "Tandoor", "Table", "Spoon",   "Lantern", "Bakery", "Palace",
                             "Corner",  "Terrace", "Oven",    "Bistro", "Canteen", "Grill",   "House",  "Pantry"};
constexpr std::array kCities{"Delhi", "Mumbai", "Bengaluru", "Chennai", "Pune", "Hyderabad", "Kolkata", "Jaipur"};

struct Cuisine {
  const char* name;
  std::array<const char*, 8> dishes;
};
constexpr std::array kCuisines{
    Cuisine{"North Indian",
            {"Butter Chicken", "Paneer Tikka", "Dal Makhani", "Garlic Naan", "Chole Bhature", "Rajma Rice",
             "Aloo Paratha", "Seekh Kebab"}},
    Cuisine{"South Indian",
            {"Masala Dosa", "Idli Sambar", "Medu Vada", "Uttapam", "Rasam Rice", "Curd Rice", "Appam Stew",
             "Filter Coffee"}},
    Cuisine{"Hyderabadi",
            {"Chicken Biryani", "Mutton Biryani", "Haleem", "Mirchi Salan", "Double Ka Meetha", "Lukhmi",
             "Vegetable Biryani", "Kebab Platter"}},
    Cuisine{"Chinese",
            {"Hakka Noodles", "Chilli Chicken", "Manchurian", "Fried Rice", "Spring Rolls", "Hot and Sour Soup",
             "Dim Sum", "Kung Pao Tofu"}},
    Cuisine{"Italian",
            {"Margherita Pizza", "Lasagna", "Spaghetti Carbonara", "Mushroom Risotto", "Tiramisu", "Bruschetta",
             "Gnocchi", "Minestrone"}},
    Cuisine{"Mexican",
            {"Chicken Burrito", "Beef Tacos", "Quesadilla", "Nachos", "Guacamole", "Enchiladas", "Churros",
             "Tortilla Soup"}}};

}  // namespace

std::vector<Restaurant> sample_restaurants(int count) {
  std::vector<Restaurant> restaurants;
  // Multiplying by an odd number spreads neighbours over the lists, the same way each time.
  for (std::uint32_t index = 0; index < static_cast<std::uint32_t>(count); ++index) {
    const std::uint32_t mixed = (index + 1) * 2'654'435'761u;
    const auto& cuisine = kCuisines[(mixed >> 8) % kCuisines.size()];
    Restaurant restaurant{.id = fmt::format("r{}", index),
                          .name = fmt::format("{} {}", kFirst[(mixed >> 12) % kFirst.size()],
                                              kSecond[(mixed >> 20) % kSecond.size()]),
                          .city = kCities[index % kCities.size()],
                          .cuisine = cuisine.name,
                          .rating = 2.5 + 0.1 * ((mixed >> 4) % 26)};
    for (std::size_t dish = 0; dish < 4; ++dish) {
      restaurant.dishes.emplace_back(cuisine.dishes[((mixed >> 16) + 3 * dish) % cuisine.dishes.size()]);
    }
    restaurants.push_back(std::move(restaurant));
  }
  return restaurants;
}

}  // namespace scalableapp::workload
