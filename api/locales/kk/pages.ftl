# Texts of published pages. They are in Kazakh and Russian only.
page-skip = Мазмұнға өту
page-languages = Тіл
page-feed = Жаңа жарияланымдар арнасы (Atom)
page-times = Уақыт Алматы бойынша (Asia/Almaty) көрсетілген.
