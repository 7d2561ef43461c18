// With scripts the list follows the filters by itself, so that the button to apply them is not needed.
document.documentElement.classList.add("follows-filters");
