package api

import (
	"errors"
	"net/http"
	"strings"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// setTariff makes a price list the next version of a tariff. It applies to what begins from now on.
func (a *API) setTariff(w http.ResponseWriter, r *http.Request) error {
	t, err := httpapi.Decode[rating.Tariff](r)
	if err != nil {
		return err
	}

	if err := check("name", t.Name, maxName); err != nil {
		return err
	}

	name := r.PathValue("name")
	if t.Name == "" {
		t.Name = name
	}

	switch err := t.Validate(); {
	case err != nil:
		return problem(http.StatusBadRequest, "the tariff cannot be used", err)
	case t.Name != name:
		return problem(http.StatusBadRequest, "the tariff cannot be used", errors.New("it has another name than the address"))
	}

	if err := credit.Publish(r.Context(), a.store, &t); err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, t)
}

// tariffs shows the versions in force.
func (a *API) tariffs(w http.ResponseWriter, r *http.Request) error {
	var rows []credit.StoredTariff

	err := a.store.Read(
		r.Context(),
	).Where(
		"version = (SELECT MAX(version) FROM tariff_versions AS other WHERE other.name = tariff_versions.name)",
	).
		Order(
			"name",
		).Find(
		&rows,
	).Error
	if err != nil {
		return err
	}

	all := []*rating.Tariff{}

	for i := range rows {
		t, err := rows[i].Tariff()
		if err != nil {
			return err
		}

		all = append(all, t)
	}

	return httpapi.Write(w, http.StatusOK, all)
}

func (a *API) tariff(w http.ResponseWriter, r *http.Request) error {
	query := a.store.Read(r.Context()).Where("name = ?", r.PathValue("name")).Order("version DESC")

	if version.Of(r) != "" {
		query = query.Where("version = ?", version.NumberOf(r))
	}

	stored := new(credit.StoredTariff)
	if err := query.Take(stored).Error; err != nil {
		return err
	}

	t, err := stored.Tariff()
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, t)
}

// checkTariff returns an error, with the tariffs that there are, if there is none of this name: calls would fail. Tariffs are never
// deleted.
func (a *API) checkTariff(r *http.Request, name string) error {
	if name == "" { // the configured one
		return nil
	}

	var found []string

	tariffs := func() *gorm.DB {
		return a.store.Read(r.Context()).Model(&credit.StoredTariff{}).Where("version = 1").Order("name")
	}
	if err := tariffs().Where("name = ?", name).Pluck("name", &found).Error; err != nil || len(found) > 0 {
		return err
	}

	const shown = 20

	if err := tariffs().Limit(shown+1).Pluck("name", &found).Error; err != nil {
		return err
	}

	there := "there is none yet"
	if len(found) > 0 {
		there = "there are " + strings.Join(found[:min(len(found), shown)], ", ")
	}

	if len(found) > shown {
		there += " and others"
	}

	return problem(http.StatusUnprocessableEntity, "there is no tariff "+name, errors.New(there))
}

// versions shows when each version came into force.
func (a *API) versions(w http.ResponseWriter, r *http.Request) error {
	rows := []credit.StoredTariff{}
	versions := a.store.Read(r.Context()).Select("name", "version", "created").Where("name = ?", r.PathValue("name"))
	if err := versions.Order("version").Find(&rows).Error; err != nil {
		return err
	}

	if len(rows) == 0 {
		return gorm.ErrRecordNotFound
	}

	return httpapi.Write(w, http.StatusOK, rows)
}
