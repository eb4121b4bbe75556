"""What stands on people's cards: for each role in a buying group, titles as their own language has them."""

Titles = dict[str, tuple[str, ...]]

TITLES: dict[str, Titles] = {  # "his|hers" where the language makes a difference
    "en": {
        "specifier": (
            "Process Engineer", "Mechanical Engineer", "Head of Maintenance", "Reliability Engineer",
            "Senior Project Engineer", "Quality Manager", "Energy Manager", "Lead Engineer, Rotating Equipment",
        ),
        "authorizer": (
            "Plant Director", "VP Operations", "Managing Director", "Chief Operating Officer",
            "Director of Engineering",
            "Site Director",
        ),
        "user": (
            "Maintenance Technician", "Pump Operator", "Shift Supervisor", "Production Operator",
            "Utilities Technician",
            "Warehouse Operator",
        ),
        "purchaser": (
            "Strategic Buyer", "Procurement Manager", "Head of Purchasing", "Category Manager, MRO",
            "Senior Buyer, Capital Equipment",
        ),
        "finance": ("Financial Controller", "Finance Director", "CFO", "Plant Controller", "Management Accountant"),
        "gatekeeper": ("Executive Assistant", "Office Manager", "PA to the Managing Director", "Receptionist"),
    },
    "de": {
        "specifier": (
            "Leiter Instandhaltung|Leiterin Instandhaltung", "Verfahrensingenieur|Verfahrensingenieurin",
            "Projektingenieur Anlagentechnik|Projektingenieurin Anlagentechnik", "Energiemanager|Energiemanagerin",
            "Leiter Qualitätssicherung|Leiterin Qualitätssicherung", "Konstruktionsingenieur|Konstruktionsingenieurin",
            "Teamleiter Technik|Teamleiterin Technik", "Betriebsingenieur|Betriebsingenieurin",
        ),
        "authorizer": (
            "Geschäftsführer|Geschäftsführerin", "Werkleiter|Werkleiterin", "Technischer Leiter|Technische Leiterin",
            "Bereichsleiter Produktion|Bereichsleiterin Produktion", "Betriebsleiter|Betriebsleiterin",
            "Technischer Vorstand|Technische Vorständin",
        ),
        "user": (
            "Instandhalter|Instandhalterin", "Schichtführer|Schichtführerin", "Anlagenfahrer|Anlagenfahrerin",
            "Industriemechaniker|Industriemechanikerin", "Mechatroniker|Mechatronikerin",
            "Maschinenführer|Maschinenführerin",
        ),
        "purchaser": (
            "Strategischer Einkäufer|Strategische Einkäuferin", "Leiter Einkauf|Leiterin Einkauf",
            "Einkäufer Technik|Einkäuferin Technik", "Einkaufsleiter|Einkaufsleiterin",
            "Facheinkäufer Investitionsgüter|Facheinkäuferin Investitionsgüter",
        ),
        "finance": (
            "Leiter Controlling|Leiterin Controlling", "Kaufmännischer Leiter|Kaufmännische Leiterin",
            "Finanzvorstand|Finanzvorständin", "Werkscontroller|Werkscontrollerin",
            "Leiter Rechnungswesen|Leiterin Rechnungswesen",
        ),
        "gatekeeper": (
            "Assistent der Geschäftsführung|Assistentin der Geschäftsführung", "Teamassistent|Teamassistentin",
            "Sekretariat Werkleitung", "Empfang",
        ),
    },
    "es": {
        "specifier": (
            "Jefe de Mantenimiento|Jefa de Mantenimiento", "Ingeniero de Procesos|Ingeniera de Procesos",
            "Ingeniero de Proyectos|Ingeniera de Proyectos", "Responsable de Calidad", "Responsable de Energía",
            "Ingeniero Mecánico|Ingeniera Mecánica", "Jefe de Ingeniería|Jefa de Ingeniería",
            "Técnico de Fiabilidad|Técnica de Fiabilidad",
        ),
        "authorizer": (
            "Director de Planta|Directora de Planta", "Director de Operaciones|Directora de Operaciones",
            "Director General|Directora General", "Gerente de Producción", "Director Técnico|Directora Técnica",
            "Director Industrial|Directora Industrial",
        ),
        "user": (
            "Técnico de Mantenimiento|Técnica de Mantenimiento", "Operador de Planta|Operadora de Planta",
            "Encargado de Turno|Encargada de Turno", "Oficial Mecánico|Oficial Mecánica",
            "Operario de Producción|Operaria de Producción",
            "Técnico de Servicios Auxiliares|Técnica de Servicios Auxiliares",
        ),
        "purchaser": (
            "Responsable de Compras", "Comprador Técnico|Compradora Técnica",
            "Director de Compras|Directora de Compras", "Jefe de Compras|Jefa de Compras",
            "Comprador Estratégico|Compradora Estratégica",
        ),
        "finance": (
            "Director Financiero|Directora Financiera", "Controller de Planta",
            "Jefe de Administración y Finanzas|Jefa de Administración y Finanzas", "Responsable de Control de Gestión",
            "Contable Senior",
        ),
        "gatekeeper": (
            "Asistente de Dirección", "Secretario de Dirección|Secretaria de Dirección", "Recepcionista",
            "Auxiliar Administrativo|Auxiliar Administrativa",
        ),
    },
    "ro": {
        "specifier": (
            "Șef Mentenanță|Șefă Mentenanță", "Inginer Proces|Ingineră Proces",
            "Inginer Proiectant|Ingineră Proiectantă",
            "Responsabil Calitate|Responsabilă Calitate", "Energetician Șef", "Inginer Mecanic|Ingineră Mecanică",
            "Inginer Mentenanță|Ingineră Mentenanță", "Coordonator Tehnic|Coordonatoare Tehnică",
        ),
        "authorizer": (
            "Director Fabrică|Directoare Fabrică", "Director Operațiuni|Directoare Operațiuni",
            "Director General|Directoare Generală", "Administrator", "Director Tehnic|Directoare Tehnică",
            "Director de Producție|Directoare de Producție",
        ),
        "user": (
            "Tehnician Mentenanță|Tehniciană Mentenanță", "Operator Instalații|Operatoare Instalații",
            "Șef de Tură|Șefă de Tură", "Lăcătuș Mecanic", "Operator Producție|Operatoare Producție",
            "Mecanic Întreținere",
        ),
        "purchaser": (
            "Director Achiziții|Directoare Achiziții", "Specialist Achiziții|Specialistă Achiziții",
            "Manager Achiziții",
            "Responsabil Aprovizionare|Responsabilă Aprovizionare", "Achizitor Tehnic|Achizitoare Tehnică",
        ),
        "finance": (
            "Director Financiar|Directoare Financiară", "Controlor Financiar|Controloare Financiară",
            "Director Economic|Directoare Economică", "Contabil Șef|Contabilă Șefă",
            "Analist Financiar|Analistă Financiară",
        ),
        "gatekeeper": (
            "Asistent Director|Asistentă Director", "Secretar Direcțiune|Secretară Direcțiune", "Asistent Manager",
            "Recepționer|Recepționeră",
        ),
    },
    "zh": {
        "specifier": (
            "设备工程师", "维修主管", "工艺工程师", "质量经理", "能源管理工程师", "机械工程师", "技术主管",
            "项目工程师",
        ),
        "authorizer": ("厂长", "总经理", "运营总监", "生产总监", "技术总监", "副总经理"),
        "user": ("维修技术员", "设备操作员", "班组长", "机修工", "生产操作员", "动力车间技术员"),
        "purchaser": ("采购经理", "战略采购专员", "采购总监", "采购主管", "设备采购员"),
        "finance": ("财务总监", "财务经理", "成本会计", "财务主管", "财务分析师"),
        "gatekeeper": ("总经理助理", "行政助理", "前台", "办公室主任"),
    },
}  # fmt: skip
