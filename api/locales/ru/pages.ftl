# Texts of published pages. They are in Kazakh and Russian only.
page-skip = Перейти к содержанию
page-languages = Язык
page-feed = Лента новых публикаций (Atom)
page-times = Время указано по Алматы (Asia/Almaty).
